import numpy as np
import pandas as pd
import pytest

from autrainer_ext.difficulty.label_evidence import LabelEvidence
from autrainer_ext_plugins.label_noise.tables import (
    confusion_table,
    suspect_table,
    validation_table,
)


@pytest.fixture
def make_evidence():
    """Evidence on 400 recordings, 20 of them mislabelled; networks prefer the true class."""

    def make(*, held_out=True):
        rng = np.random.default_rng(0)
        truth, names = rng.integers(3, size=400), np.array(["bus", "park", "tram"])
        labels = truth.copy()
        labels[::20] = (truth[::20] + 1) % 3
        logits = rng.normal(size=(400, 3))
        logits[np.arange(400), truth] += 4
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        given = logits[np.arange(400), labels]
        logits[np.arange(400), labels] = -np.inf
        return LabelEvidence(
            samples=pd.DataFrame({"truth": names[truth], "aum": "taken"}),
            files=[f"{i}.wav" for i in range(400)],
            labels=labels,
            class_names=names.tolist(),
            held_out_runs=np.full(400, int(held_out)),
            probabilities=probabilities if held_out else np.full((400, 3), np.nan),
            training_runs=np.full(400, 2),
            aum=given - logits.max(axis=1),
            cumulative_accuracy=(given > logits.max(axis=1)).astype(float),
        )

    return make


def test_planted_mislabels_come_first_with_their_class_and_precision(make_evidence):
    evidence = make_evidence()
    table = suspect_table(evidence)
    assert table["place"].tolist() == list(range(1, 401))
    assert table["aum_"].unique().tolist() == ["taken"]
    first = table.head(20)
    is_wrong = first["truth"] != first["label"]
    assert is_wrong.mean() >= 0.9
    assert (first["suggested"] == first["truth"])[is_wrong].all()
    assert first["precision"].iloc[-1] == pytest.approx(is_wrong.mean(), abs=0.15)
    confusions = confusion_table(evidence)
    assert confusions["recordings"].sum() == pytest.approx(20, abs=8)
    validation = validation_table(table, "truth").set_index("measure")
    assert (validation["auroc"] > 0.95).all()
    assert (validation["mislabelled"] == 20).all()
    assert validation.loc["held_out_margin", "precision"] == pytest.approx(is_wrong.mean())
    assert np.isnan(validation.loc["aum", "estimated_precision"])


def test_without_held_out_runs_the_order_is_that_of_training_without_a_precision(make_evidence):
    evidence = make_evidence(held_out=False)
    table = suspect_table(evidence)
    assert table["aum"].is_monotonic_increasing
    assert table[["precision", "held_out_margin"]].isna().all(axis=None)
    assert confusion_table(evidence).empty
    assert validation_table(table, "truth")["measure"].tolist() == ["aum", "cumulative_accuracy"]


def test_a_validation_needs_true_labels_that_differ(make_evidence):
    table = suspect_table(make_evidence())
    with pytest.raises(ValueError, match="have no column 'true_label'"):
        validation_table(table, "true_label")
    with pytest.raises(ValueError, match="no label is known to be wrong"):
        validation_table(table.assign(truth=table["label"]), "truth")
