import numpy as np
import pandas as pd
import pytest

from autrainer_ext.explanation.evaluation import FLOORED
from autrainer_ext.explanation.fidelity import MEASURES
from autrainer_ext.explanation.summary import (
    compare_explainers,
    summarise,
    summarise_sanity,
    summarise_sizes,
)
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
            "kept_energy_share": rng.uniform(),
        }
        | dict(zip(MEASURES, rng.uniform(size=9), strict=True))
        | {f"{name}_floor": rng.uniform() for name in FLOORED}
        for clip in range(5)
        for explainer in ("saliency", "lime")
        for mask in ("bin", "minmax")
    ]
    return pd.DataFrame(rows)


def test_means_and_gains_are_paired_with_the_floor_of_the_clip():
    scores = make_scores()
    summary = summarise(scores)
    assert len(summary) == 3 * 2 * 2 * 9
    for explainer in ("saliency", "lime"):
        row = summary.query(
            f"explainer == '{explainer}' and mask == 'bin' and samples == 'incorrect' "
            "and measure == 'AD'"
        ).iloc[0]
        clips = scores.query(f"mask == 'bin' and not correct and explainer == '{explainer}'")
        assert row["n"] == 2
        assert row["mean"] == pytest.approx(clips["AD"].mean())
        assert row["floor"] == pytest.approx(clips["AD_floor"].mean())
        assert row["gain"] == pytest.approx((clips["AD_floor"] - clips["AD"]).mean())
        assert row["kept_energy_share"] == pytest.approx(clips["kept_energy_share"].mean())
    row = summary.query("explainer == 'lime' and samples == 'all' and measure == 'FF'").iloc[0]
    clips = scores.query("explainer == 'lime' and mask == 'bin'")
    low, high = mean_interval(clips["FF"].to_numpy(), n_resamples=1000)
    assert (row["low"], row["high"]) == (low, high)
    assert row["gain"] == pytest.approx((clips["FF"] - clips["FF_floor"]).mean())


def test_measures_without_a_mask_have_no_floor():
    summary = summarise(make_scores()).set_index("measure")
    assert summary.loc[["SPS", "COMP"], ["floor", "gain", "gain_low"]].isna().all(axis=None)
    assert summary.loc[["AD", "insertion_auc"], ["floor", "gain"]].notna().all(axis=None)


def make_sizes(shift=0.0, n_clips=12):
    """Two explainers; the curve of the second is lower by `shift` on every clip."""
    rng = np.random.default_rng(1)
    rows = []
    for clip in range(n_clips):
        base = rng.uniform(20, 60)
        for explainer, by in (("lime", 0.0), ("saliency", shift)):
            for share in (0.05, 0.5, 0.95):
                values = {"AD": base - by + rng.normal(), "FidIn": 1.0, "FF": 0.5}
                rows.append(
                    {"run": "r", "noise": "none", "filename": f"{clip}.wav"}
                    | {"explainer": explainer, "kept_energy_share": share}
                    | values
                    | {f"{name}_floor": 50.0 if name == "AD" else 0.0 for name in values}
                )
    return pd.DataFrame(rows)


def test_areas_are_averages_over_the_shares():
    sizes = make_sizes()
    areas = summarise_sizes(sizes)
    row = areas.query("explainer == 'lime' and measure == 'AD'").iloc[0]
    by_share = sizes.query("explainer == 'lime'").groupby("kept_energy_share")["AD"].mean()
    expected = 0.5 * (0.5 * by_share[0.05] + by_share[0.5] + 0.5 * by_share[0.95])
    assert row["mean"] == pytest.approx(expected)
    assert row["gain"] == pytest.approx(50 - expected)
    assert row["low"] < row["mean"] < row["high"]
    assert row["n"] == 12


@pytest.mark.parametrize(("shift", "is_different"), [(0.0, False), (5.0, True)])
def test_explainers_are_compared_on_the_same_clips(shift, is_different):
    table = compare_explainers(make_sizes(shift)).set_index("measure")
    row = table.loc["AD"]
    assert (row["first"], row["second"], row["n"]) == ("lime", "saliency", 12)
    assert row["is_different"] == is_different
    if is_different:  # a lower drop is better
        assert row["difference"] == pytest.approx(-shift, abs=1)
        assert row["high"] < 0
    assert not table.loc["FidIn", "is_different"]


def test_more_pairs_give_wider_intervals():
    sizes = make_sizes(1.0)
    third = sizes[sizes["explainer"] == "lime"].assign(explainer="grad_cam")
    two, three = (
        compare_explainers(each).query("first == 'lime' and second == 'saliency'").iloc[0]
        for each in (sizes, pd.concat([sizes, third]))
    )
    assert three["high"] - three["low"] > two["high"] - two["low"]
    assert len(compare_explainers(sizes[sizes["explainer"] == "lime"])) == 0


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
        {"run": "r", "noise": "none", "explainer": "lime", "layer": layer, "spearman": value}
        for layer, values in {"head": [0.5, np.nan, 0.1], "stem": [0.0, 0.0, 0.0]}.items()
        for value in values
    ]
    table = summarise_sanity(pd.DataFrame(rows))
    assert table["layer"].tolist() == ["head", "stem"]
    assert table["n"].tolist() == [2, 3]
    assert table["mean"].tolist() == pytest.approx([0.3, 0.0])
