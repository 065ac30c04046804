import numpy as np
import pytest

from autrainer_ext.information import accuracy, balanced_accuracy, check_counts, confusion_counts


def counted(y_true, y_pred, n_classes):
    counts = np.zeros((n_classes, n_classes), dtype=int)
    for true, pred in zip(y_true, y_pred, strict=True):
        counts[true, pred] += 1
    return counts


@pytest.mark.parametrize("leading", [(), (3,), (2, 4), (0,), (2, 0)])
@pytest.mark.parametrize("n_samples", [0, 1, 50])
def test_counts_are_those_of_a_loop(leading, n_samples):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 7, (2, *leading, n_samples))
    counts = confusion_counts(y_true, y_pred, 7)
    assert counts.shape == (*leading, 7, 7)
    assert counts.dtype == np.int64
    for index in np.ndindex(leading):
        np.testing.assert_array_equal(counts[index], counted(y_true[index], y_pred[index], 7))


def test_one_truth_serves_many_epochs():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 3, 20), rng.integers(0, 3, (5, 20))
    counts = confusion_counts(y_true, y_pred, 3)
    np.testing.assert_array_equal(counts[4], counted(y_true, y_pred[4], 3))
    assert (counts.sum(axis=-1) == np.bincount(y_true, minlength=3)).all()


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([0, 2], [0, 1], r"Argument 'y_true' must be in \[0, 2\), got 0 to 2"),
        ([0, 1], [-1, 1], r"Argument 'y_pred' must be in \[0, 2\), got -1 to 1"),
        ([0.0, 1.0], [0, 1], r"Argument 'y_true' must be an array of integers.*float64"),
        (0, 0, r"Argument 'y_true' must be an array"),
        ([0, 1, 1], [0, 1], "same length, got 3 and 2"),
    ],
)
def test_labels_that_cannot_be_counted_are_named(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        confusion_counts(y_true, y_pred, 2)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2], r"must have shape .* got \(2,\)"),
        (np.zeros((0, 0)), r"got \(0, 0\)"),
        ([[1, -1], [0, 1]], "finite and not negative"),
        ([[1, np.nan], [0, 1]], "finite and not negative"),
        ([[[1, 0], [0, 1]], [[0, 0], [0, 0]]], "must not sum to zero"),
    ],
)
def test_unusable_matrices_are_rejected(counts, message):
    with pytest.raises(ValueError, match=message):
        check_counts(counts)


def test_accuracies_by_hand():
    counts = np.array([[[3, 1, 0], [0, 0, 0], [2, 2, 2]], [[0, 5, 0], [0, 1, 0], [0, 0, 2]]])
    np.testing.assert_allclose(accuracy(counts), [5 / 10, 3 / 8])
    # the second class of the first matrix has no true sample and no share
    np.testing.assert_allclose(
        balanced_accuracy(counts), [(3 / 4 + 2 / 6) / 2, (0 + 1 + 1) / 3], rtol=1e-15
    )


@pytest.mark.parametrize("score", [accuracy, balanced_accuracy])
def test_accuracy_of_a_rectangle_is_refused(score):
    with pytest.raises(ValueError, match="as many predicted as true classes"):
        score(np.ones((2, 3)))
