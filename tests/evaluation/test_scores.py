import numpy as np
import pandas as pd
import pytest

from autrainer_ext.evaluation.scores import MEASURES, difference_table, score_outputs, score_table
from autrainer_ext.intervals import difference_interval, mean_interval
from autrainer_ext.runs import RunOutputs


def outputs(n=60, seed=0, noise=2.0):
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 3
    logits = (3 * np.eye(3)[targets] + noise * rng.normal(size=(n, 3))).astype(np.float32)
    return RunOutputs(logits, targets, np.arange(n), ["a", "b", "c"])


def test_scores_by_hand():
    logits = np.log(np.array([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9]]))
    scores = score_outputs(logits, np.array([0, 1, 0, 1]))
    assert scores["accuracy"][0] == 0.75
    assert scores["balanced_accuracy"][0] == 0.75
    assert scores["log_loss"][0] == pytest.approx(-np.log([0.8, 0.4, 0.5, 0.9]).mean())
    assert np.isnan(scores.pop("balanced_accuracy")[1:]).all()  # needs 20 recordings
    assert all(low <= value <= high for value, low, high in scores.values())


def test_balanced_accuracy_counts_classes_alike():
    logits = np.tile([5.0, 0.0], (10, 1))
    scores = score_outputs(logits, np.array([0] * 9 + [1]))
    assert scores["accuracy"][0] == 0.9
    assert scores["balanced_accuracy"][0] == 0.5


def test_strata_are_scored_like_their_recordings_alone():
    data = outputs()
    strata = pd.DataFrame({"device": np.where(np.arange(60) < 20, "a", "b"), "empty": np.nan})
    strata.loc[59, "device"] = None
    table = score_table("x", data, strata).set_index(["stratum_column", "stratum"])
    assert table.index.tolist() == [("all", "all"), ("device", "a"), ("device", "b")]
    assert table["n_samples"].tolist() == [60, 20, 39]
    alone = score_outputs(data.outputs[:20], data.targets[:20])
    for name in MEASURES:
        row = table.loc[("device", "a")]
        found = tuple(row[column] for column in (name, f"{name}_low", f"{name}_high"))
        assert found == alone[name]


def test_difference_is_to_the_same_stratum_where_there_is_one():
    ours, theirs = outputs(seed=0), outputs(seed=1, noise=0.5)
    devices = pd.DataFrame({"device": np.where(np.arange(60) < 20, "a", "b")})
    scores = score_table("x", ours, devices)
    reference = score_table("y", theirs, devices.replace("b", "c"))
    table = difference_table(scores, reference).set_index(["stratum", "measure"])
    against = table["reference"].unstack()["accuracy"].to_dict()
    assert against == {"all": "all", "a": "a", "b": "all"}
    first, second = scores.set_index("stratum"), reference.set_index("stratum")
    expected = first["accuracy"]["b"] - second["accuracy"]["all"]
    assert table["difference"]["b", "accuracy"] == pytest.approx(expected)
    assert (table["low"] <= table["difference"]).all()
    assert (table["difference"] <= table["high"]).all()


def test_difference_of_symmetric_intervals_is_that_of_two_normal_variables():
    value, low, high = difference_interval((1.0, 0.7, 1.3), (0.5, 0.1, 0.9))
    assert value == 0.5
    assert (low, high) == pytest.approx((0.0, 1.0))  # sqrt(0.3^2 + 0.4^2) = 0.5


def test_difference_keeps_the_sides_of_the_limits():
    _, low, high = difference_interval((0.9, 0.6, 0.9), (0.5, 0.5, 0.9))
    assert (low, high) == pytest.approx((0.4 - 0.5, 0.4))


def test_intervals_of_differences_contain_the_true_difference():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        samples = [(rng.random(n) < p).astype(float) for n, p in ((60, 0.9), (300, 0.7))]
        parts = [(x.mean(), *mean_interval(x, n_resamples=500)) for x in samples]
        _, low, high = difference_interval(*parts)
        hits += low <= 0.2 <= high
    assert 0.9 <= hits / 200 <= 0.99
