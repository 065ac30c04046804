"""How many samples a table needs for its intervals to cover.

The rule is from the grid of `docs/studies/intervals.md`. What breaks first is not sparse cells, but
margins of fewer than about five samples per class, and nearly faultless classifiers on few samples.
"""

import numpy as np

ABSENT = 10  # samples per class seen from which classes never seen are taken to be absent
# Least number of samples, and least number per class.
_NEEDED = {
    "accuracy": (1, 0),
    "balanced_accuracy": (20, 1),
    "divergence": (20, 1),
    "mutual_information": (50, 2),
    "variation": (50, 2),
    "x": (100, 5),
}


def samples_needed(quantity: str, n_classes: int) -> int:
    """Number of samples from which an interval of a quantity is given.

    Args:
        quantity: One of `QUANTITIES`.
        n_classes: Number of classes of the table that may occur, see `present_classes`.

    Returns:
        Number of samples.

    Example:
        >>> samples_needed("mutual_information", 10), samples_needed("x_true", 35)
        (50, 175)
    """
    least, per_class = _NEEDED.get(quantity) or _NEEDED[quantity.split("_")[0]]
    return max(least, per_class * n_classes)


def present_classes(counts: np.ndarray) -> np.ndarray:
    """Classes that may occur: all, or those seen if there are ten samples for each of them.

    Args:
        counts: Confusion matrix, shape (k, k).

    Returns:
        Class numbers in ascending order.

    Example:
        >>> present_classes(np.diag([20, 30, 0])).tolist(), present_classes(np.diag([2, 3, 0])).size
        ([0, 1], 3)
    """
    seen = counts.sum(axis=1) + counts.sum(axis=0) > 0
    if seen.sum() >= 2 and counts.sum() >= ABSENT * seen.sum():
        return np.flatnonzero(seen)
    return np.arange(len(counts))
