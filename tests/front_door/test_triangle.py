import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch

from autrainer_ext import entropy_triangle
from autrainer_ext.information import confusion_intervals, entropies, split_coordinates

mpl.use("Agg")
RNG = np.random.default_rng(0)
CODES = RNG.integers(3, size=60), RNG.integers(3, size=60)
KINDS = {
    "text": np.array(["sea", "car", "dog"]).__getitem__,
    "numbers": lambda codes: codes + 7,
    "list": lambda codes: [f"class {code}" for code in codes],
    "floats": lambda codes: codes / 2,
    "column": lambda codes: pd.Series(np.array(["x", "y", "z"])[codes], index=codes),
    "categories": lambda codes: pd.Categorical(np.array(["x", "y", "z"])[codes]),
    "nullable": lambda codes: pd.array(codes, dtype="Int64"),
    "tensor": torch.from_numpy,
    "tuples": lambda codes: [(int(code), "a") for code in codes],
}


@pytest.mark.parametrize("kind", KINDS)
def test_coordinates_do_not_depend_on_the_type_of_the_labels(kind):
    found = entropy_triangle(*(KINDS[kind](codes) for codes in CODES))
    counts = np.zeros((3, 3))
    np.add.at(counts, CODES, 1)
    true, pred = split_coordinates(entropies(counts))
    assert found.pred.divergence == pytest.approx(float(pred.divergence))
    assert found.true.variation == pytest.approx(float(true.variation))
    assert found.joint.mutual_information == pytest.approx(float(pred.mutual_information))
    assert found.scores["accuracy"] == (CODES[0] == CODES[1]).mean()


def test_bools_are_two_classes():
    found = entropy_triangle([True, False, True, False], np.array([True, False, True, False]))
    assert found.classes == [False, True]
    assert found.pred.mutual_information == 1


def test_classes_that_do_not_occur_count_if_they_are_given():
    labels = ["a", "b", "a", "b"]
    assert entropy_triangle(labels, labels).true.divergence == 0
    found = entropy_triangle(labels, labels, classes=["d", "c", "b", "a"])
    assert found.true.divergence == pytest.approx(0.5)  # one of two bits
    assert found.counts.tolist() == np.diag([0, 0, 2, 2]).tolist()


def test_intervals_are_those_of_the_confusion_matrix():
    found = entropy_triangle(*CODES)
    table = found.intervals(n_draws=100, seed=3).set_index(["view", "measure"])
    expected = confusion_intervals(found.counts, n_draws=100, seed=3)
    row = table.loc["pred", "mutual_information"]
    assert row["value"] == pytest.approx(found.pred.mutual_information)
    for (view, measure), row in table.iterrows():
        interval = expected.get(f"{measure}_{view}") or expected[measure]
        limits = interval.corrected, interval.low, interval.high, interval.n_needed
        assert tuple(row[["corrected", "low", "high", "n_needed"]]) == pytest.approx(
            limits, nan_ok=True
        )
    assert table.loc["", "accuracy"]["value"] == found.scores["accuracy"]
    assert table.loc["joint", "divergence"]["value"] == pytest.approx(found.joint.divergence)
    assert len(table) == 3 * 3 + 4


def test_plot_draws_the_points_on_given_axes():
    axes = entropy_triangle(*CODES).plot()
    before = len(axes.collections)
    assert entropy_triangle(CODES[0], CODES[0]).plot(axes, color="red") is axes
    assert len(axes.collections) == 2 * before
    from matplotlib import pyplot as plt

    with pytest.raises(ValueError, match=r"need the projection 'ternary', got 'rectilinear'"):
        entropy_triangle(*CODES).plot(plt.figure().add_subplot())
    plt.close("all")


@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        ([1, 2], ["1", "2"], "True labels are not text"),
        (["a", None], ["a", "b"], "no label at position 1"),
        ([0.0, float("nan")], [0.0, 1.0], "no label at position 1"),
        (pd.array([1, None], dtype="Int64"), [1, 2], "no label at position 1"),
        ([0, 1], np.eye(2), r"got the shape \(2, 2\): take the argmax"),
        ([[0, 1]], [[0, 1]], "one label per sample"),
        ([0], [0, 1], "got 1 and 2"),
        ([], [], "at least one sample"),
        ("abc", "abz", "one label per sample, got 'abc'"),
    ],
)
def test_wrong_labels_are_reported(true, pred, message):
    with pytest.raises(ValueError, match=message):
        entropy_triangle(true, pred)


def test_label_outside_the_given_classes_is_reported():
    with pytest.raises(ValueError, match=r"Unknown label 'seaa'\. Did you mean 'sea'\?"):
        entropy_triangle(["sea"], ["seaa"], classes=["sea", "car"])
