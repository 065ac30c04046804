"""Confusion matrices: number of samples of each true class that were predicted as each class.

The last two dimensions of `counts` are one confusion matrix: rows are true classes, columns are
predicted classes. Leading dimensions are arbitrary, such as runs, epochs or resamples.
"""

import numpy as np
from numpy.typing import ArrayLike


def confusion_counts(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int) -> np.ndarray:
    """Confusion matrix of true and predicted labels.

    Args:
        y_true: True class indices, integers in [0, n_classes), shape (..., N).
        y_pred: Predicted class indices. Leading dimensions broadcast against those of `y_true`,
            so that one `y_true` can be compared with the predictions of many epochs.
        n_classes: Number of classes, including classes without a sample.

    Returns:
        Counts, int64, shape (..., n_classes, n_classes); all zero if N is 0.

    Raises:
        ValueError: If the labels are not integers, lie outside the range or differ in number.

    Example:
        >>> confusion_counts([0, 0, 1], [0, 1, 1], n_classes=2)
        array([[1, 1],
               [0, 1]])
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    for name, labels in (("y_true", y_true), ("y_pred", y_pred)):
        if labels.ndim == 0 or (labels.size and not np.issubdtype(labels.dtype, np.integer)):
            raise ValueError(
                f"Argument '{name}' must be an array of integers, got shape {labels.shape} of type "
                f"{labels.dtype}."
            )
        if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
            raise ValueError(
                f"Argument '{name}' must be in [0, {n_classes}), got {labels.min()} to "
                f"{labels.max()}."
            )
    if y_true.shape[-1] != y_pred.shape[-1]:
        raise ValueError(
            "Arguments 'y_true' and 'y_pred' must have the same length, "
            f"got {y_true.shape[-1]} and {y_pred.shape[-1]}."
        )
    cells = y_true.astype(np.int64) * n_classes + y_pred.astype(np.int64)
    rows = cells.reshape(-1, cells.shape[-1]) if cells.size else np.zeros((0, 1), np.int64)
    shape = (*cells.shape[:-1], n_classes, n_classes)
    n_cells, n_matrices = n_classes**2, int(np.prod(cells.shape[:-1]))
    shifted = rows + n_cells * np.arange(len(rows))[:, None]
    return np.bincount(shifted.ravel(), minlength=n_matrices * n_cells).reshape(shape)


def check_counts(counts: ArrayLike) -> np.ndarray:
    """Check that an array holds valid confusion matrices.

    Args:
        counts: Confusion matrices, shape (..., true classes, predicted classes).

    Returns:
        `counts` as float64.

    Raises:
        ValueError: If a dimension is missing, an entry is negative or not finite, or a confusion
            matrix sums to zero.

    Example:
        >>> check_counts([[3, 1], [0, 6]]).dtype
        dtype('float64')
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim < 2 or 0 in counts.shape[-2:]:
        raise ValueError(
            "Argument 'counts' must have shape (..., true classes, predicted classes), "
            f"got {counts.shape}."
        )
    totals = counts.sum(axis=(-2, -1))
    if counts.min(initial=0) < 0 or not np.isfinite(totals).all():
        raise ValueError("Argument 'counts' must be finite and not negative.")
    if not totals.all():
        raise ValueError("Argument 'counts' must not sum to zero.")
    return counts


def accuracy(counts: ArrayLike) -> np.ndarray:
    """Share of samples whose class was predicted correctly.

    Args:
        counts: Square confusion matrices, shape (..., C, C).

    Returns:
        Accuracies in [0, 1], shape (...).

    Raises:
        ValueError: If the confusion matrices are not square or not valid, see `check_counts`.

    Example:
        >>> float(accuracy([[3, 1], [0, 6]]))
        0.9
    """
    counts = _check_square(counts)
    return np.trace(counts, axis1=-2, axis2=-1) / counts.sum(axis=(-2, -1))


def balanced_accuracy(counts: ArrayLike) -> np.ndarray:
    """Mean over the true classes of the share of their samples that was predicted correctly.

    Args:
        counts: Square confusion matrices, shape (..., C, C). Classes without a true sample are
            left out of the mean.

    Returns:
        Balanced accuracies in [0, 1], shape (...).

    Raises:
        ValueError: If the confusion matrices are not square or not valid, see `check_counts`.

    Example:
        >>> float(balanced_accuracy([[3, 1], [0, 6]]))
        0.875
    """
    counts = _check_square(counts)
    totals = counts.sum(axis=-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    recalls = np.divide(hits, totals, out=np.zeros_like(totals), where=totals > 0)
    return recalls.sum(axis=-1) / np.count_nonzero(totals, axis=-1)


def _check_square(counts: ArrayLike) -> np.ndarray:
    counts = check_counts(counts)
    if counts.shape[-2] != counts.shape[-1]:
        raise ValueError(
            f"Accuracy needs as many predicted as true classes, got shape {counts.shape}."
        )
    return counts
