import numpy as np
import pandas as pd
import pytest

from autrainer_ext.runs import RunOutputs
from autrainer_ext_plugins.devices.tables import class_tables, parts, sample_scores, scores

DEVICES = pd.Series(list("cabcab"))
OUTPUTS = RunOutputs(
    outputs=np.log([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8], [0.25, 0.75], [0.4, 0.6], [0.3, 0.7]]),
    targets=np.array([0, 0, 1, 1, 0, 1]),
    indices=np.arange(6),
    class_names=["bus", "park"],
)
NAMES = pd.Series([f"{i}.wav" for i in range(6)])


def test_seen_devices_come_first_and_groups_last():
    found = [(device, group, mask.sum()) for device, group, mask in parts(DEVICES, {"b", "x"})]
    devices = [("b", "seen", 2), ("a", "unseen", 2), ("c", "unseen", 2)]
    assert found == [*devices, ("", "seen", 2), ("", "unseen", 4), ("", "all", 6)]


def test_empty_groups_are_left_out():
    assert [group for device, group, _ in parts(DEVICES, set("abc")) if not device] == [
        "seen",
        "all",
    ]


def test_log_loss_of_a_sample_is_that_of_its_class():
    samples = sample_scores(OUTPUTS, NAMES)
    assert samples.index.tolist() == NAMES.tolist()
    expected = -np.log([0.5, 0.9, 0.8, 0.75, 0.4, 0.7])
    np.testing.assert_allclose(samples["log_loss"], expected)
    assert samples["accuracy"].tolist() == [1, 1, 1, 1, 0, 1]


def test_scores_are_means_within_their_intervals():
    samples = sample_scores(OUTPUTS, NAMES)
    mask = np.array([True, True, True, False, True, True])
    found = scores(OUTPUTS, samples, mask, samples[mask], None)
    assert (found["n_samples"], found["accuracy"]) == (5, 0.8)
    assert found["log_loss_low"] <= found["log_loss"] <= found["log_loss_high"]
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    assert np.isnan([found[f"ema_{end}"] for end in ("corrected", "low", "high")]).all()
    assert found["ema_needed"] == 50


def test_class_tables_have_devices_in_columns_and_classes_apart_from_their_mean():
    samples = sample_scores(OUTPUTS, NAMES)
    classes, overall = class_tables(OUTPUTS, DEVICES, samples)
    assert classes["class"].tolist() == ["bus", "park"]
    assert classes.loc[0, "accuracy_a"] == 0.5
    assert np.isnan(classes.loc[0, "accuracy_b"])
    assert len(overall) == 1
    assert "class" not in overall
    assert overall.loc[0, "accuracy"] == pytest.approx(5 / 6)
    assert overall.loc[0, "accuracy_b"] == samples["accuracy"][(DEVICES == "b").to_numpy()].mean()
