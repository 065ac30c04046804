import numpy as np
import pandas as pd
import pytest

from autrainer_ext.explanation.fidelity import MEASURES
from autrainer_ext.explanation.summary import summarise, summarise_sanity
from autrainer_ext.intervals import mean_interval


def make_scores(correct=(True, True, False, True, False)):
    rng = np.random.default_rng(0)
    rows = [
        {
            "run": "r",
            "noise": "none",
            "filename": f"{clip}.wav",
            "explainer": explainer,
            "mask": mask,
            "correct": correct[clip],
            "explains_nothing": explainer == "saliency" and clip == 1,
        }
        | dict(zip(MEASURES, rng.uniform(size=9), strict=True))
        for clip in range(5)
        for explainer in ("saliency", "lime", "random", "random-quickshift")
        for mask in ("bin", "minmax")
    ]
    return pd.DataFrame(rows)


def test_means_and_gains_are_paired_with_the_floor_of_the_explainer():
    scores = make_scores()
    summary = summarise(scores)
    assert len(summary) == 3 * 4 * 2 * 9
    for explainer, floor in (("saliency", "random"), ("lime", "random-quickshift")):
        row = summary.query(
            f"explainer == '{explainer}' and mask == 'bin' and samples == 'incorrect' "
            "and measure == 'AD'"
        ).iloc[0]
        chosen = scores.query("mask == 'bin' and not correct").set_index("filename")
        values = chosen[chosen["explainer"] == explainer]["AD"]
        beneath = chosen[chosen["explainer"] == floor]["AD"]
        assert row["n"] == 2
        assert row["mean"] == pytest.approx(values.mean())
        assert row["floor"] == pytest.approx(beneath.mean())
        assert row["gain"] == pytest.approx((beneath - values).mean())
    row = summary.query("explainer == 'lime' and samples == 'all' and measure == 'FF'").iloc[0]
    values = scores.query("explainer == 'lime' and mask == 'bin'")["FF"].to_numpy()
    low, high = mean_interval(values, n_resamples=1000)
    assert (row["low"], row["high"]) == (low, high)


def test_maps_that_explain_nothing_are_counted():
    summary = summarise(make_scores()).query("samples == 'all'")
    counts = summary.groupby("explainer")["n_explaining_nothing"].unique()
    assert counts["saliency"].tolist() == [1]
    assert counts["lime"].tolist() == [0]


def test_groups_need_the_truth():
    scores = make_scores().assign(correct=np.nan)
    assert summarise(scores)["samples"].unique().tolist() == ["all"]
    assert set(summarise(make_scores([True] * 5))["samples"]) == {"all", "correct"}


def test_correlations_are_averaged_by_layer():
    rows = [
        {"noise": "none", "explainer": "lime", "layer": layer, "spearman": value}
        for layer, values in {"head": [0.5, np.nan, 0.1], "stem": [0.0, 0.0, 0.0]}.items()
        for value in values
    ]
    table = summarise_sanity(pd.DataFrame(rows))
    assert table["layer"].tolist() == ["head", "stem"]
    assert table["n"].tolist() == [2, 3]
    assert table["mean"].tolist() == pytest.approx([0.3, 0.0])
