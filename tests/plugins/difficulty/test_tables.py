import numpy as np
import pandas as pd
import pytest

from autrainer_ext.difficulty import rank_difficulty
from autrainer_ext.runs import read_outputs

pytestmark = pytest.mark.slow


def test_scores_hold_every_sample_of_every_split_with_its_columns(output, project, pooled):
    table = pd.read_csv(output / "scores.csv")
    assert table.columns.tolist() == [
        "split", "index", "filename", "target", "scene", "device",
        "hits", "count", "cumulative_accuracy", "rank", "rank_low", "rank_high", "tie_size",
        "margin", "cumulative_probability", "first_learnt", "forgetting_events",
        "never_learnt", "confidence",
        "variability", "loss",
    ]  # fmt: skip
    assert table["split"].value_counts().to_dict() == {"train": 36, "test": 18, "dev": 12}
    train = table[table["split"] == "train"]
    data = pd.read_csv(project[0] / "data/train.csv")
    for column in ("filename", "scene", "device"):
        assert train[column].tolist() == data[column].tolist()
    assert train["target"].tolist() == data["scene"].tolist()
    for column in ("hits", "cumulative_accuracy", "margin", "variability", "forgetting_events"):
        np.testing.assert_allclose(train[column], getattr(pooled, column), rtol=1e-6)
    ranks = rank_difficulty(pooled.cumulative_accuracy)
    np.testing.assert_allclose(train["rank_high"], ranks.rank_high, rtol=1e-6)


def test_classes_have_their_difficulty_and_their_accuracy(output, project, pooled, monkeypatch):
    monkeypatch.chdir(project[0])
    table = pd.read_csv(output / "classes.csv").query("split == 'train'").set_index("target")
    test = [read_outputs(run, "test") for run in project[1]]
    for label, name in enumerate(["bus", "park", "tram"]):
        of_class = test[0].targets == label
        accuracy = np.mean([(o.outputs.argmax(axis=1) == label)[of_class].mean() for o in test])
        assert table["test_accuracy"][name] == pytest.approx(accuracy, rel=1e-6)
        scores = pooled.cumulative_accuracy[np.arange(36) % 3 == label]
        assert table["cumulative_accuracy"][name] == pytest.approx(scores.mean(), rel=1e-6)
        low, high = table["cumulative_accuracy_low"][name], table["cumulative_accuracy_high"][name]
        assert low <= scores.mean() <= high
    assert table["cumulative_accuracy"].is_monotonic_increasing
