import numpy as np
import pandas as pd
import pytest

from autrainer_ext.difficulty.label_evidence import collect_evidence
from autrainer_ext.runs import read_run

NAMES = np.array(list("abc"))


@pytest.fixture
def make_fold(make_run):
    """Run of one fold: make_fold(name, training files, dev files, labels of all files)."""

    def make(name, train, dev, labels, seed=0):
        rng = np.random.default_rng(seed)
        run = make_run(name, rng.normal(size=(2, len(train), 3)), labels[train])
        table = pd.read_csv(run.path / "_metadata/train.csv")
        for split, files in (("train", train), ("dev", dev)):
            table = pd.DataFrame(
                {"filename": [f"{i}.wav" for i in files], "label": NAMES[labels[files]]}
            )
            table.to_csv(run.path / f"_metadata/{split}.csv", index=False)
        np.save(run.path / "_best/dev_outputs.npy", rng.normal(size=(len(dev), 3)))
        np.save(run.path / "_best/dev_targets.npy", labels[dev])
        np.save(run.path / "_best/dev_indices.npy", np.arange(len(dev)))
        return read_run(run.path)

    return make


def test_folds_are_joined_by_file(make_fold):
    labels = np.array([0, 1, 2, 1])
    first = make_fold("first", [0, 1], [3, 2], labels, seed=1)
    second = make_fold("second", [2, 3], [0, 1], labels, seed=2)
    found = collect_evidence([first, second])
    assert found.files == ["0.wav", "1.wav", "2.wav", "3.wav"]
    assert found.labels.tolist() == labels.tolist()
    assert found.held_out_runs.tolist() == found.training_runs.tolist() == [1, 1, 1, 1]
    logits = np.load(first.path / "_best/dev_outputs.npy")[0]  # of 3.wav
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(found.probabilities[3], expected)
    outputs = np.stack([np.load(second.path / f"epoch_{e}/traineval_outputs.npy") for e in (1, 2)])
    of_three = outputs[:, 1].astype(float)  # its label is 1
    margins = of_three[:, 1] - np.maximum(of_three[:, 0], of_three[:, 2])
    assert found.aum[3] == pytest.approx(margins.mean())
    assert found.cumulative_accuracy[3] == np.mean(of_three.argmax(axis=1) == 1)


def test_recordings_that_no_run_holds_out_have_no_probabilities(make_fold):
    labels = np.array([0, 1, 2, 1])
    runs = [make_fold(name, [0, 1, 2], [3], labels, seed=i) for i, name in enumerate("ab")]
    found = collect_evidence(runs)
    assert found.held_out_runs.tolist() == [0, 0, 0, 2]
    assert found.training_runs.tolist() == [2, 2, 2, 0]
    assert np.isnan(found.probabilities[:3]).all()
    assert np.isnan(found.aum).tolist() == [False, False, False, True]


def test_contradicting_runs_are_named(make_fold):
    first = make_fold("first", [0, 1], [2, 3], np.array([0, 1, 2, 1]))
    second = make_fold("second", [0, 1], [2, 3], np.array([0, 1, 1, 1]))
    with pytest.raises(ValueError, match="File '2.wav' has different labels in different runs"):
        collect_evidence([first, second])
    table = pd.read_csv(first.path / "_metadata/dev.csv").assign(filename="2.wav")
    table.to_csv(first.path / "_metadata/dev.csv", index=False)
    with pytest.raises(ValueError, match="Run 'first': a file appears twice in the dev split"):
        collect_evidence([first])
