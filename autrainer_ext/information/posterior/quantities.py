"""Quantities of square tables of shares for which there are intervals.

Ten of them are linear in the three entropies H(X), H(Y) and H(X, Y), divided by log2 of the number
of classes k. Others, such as EMA, are monotone functions of one of these.
"""

from collections.abc import Callable

import numpy as np

QUANTITIES = (
    "mutual_information",  # I / log2 k: the height in all three views of a square table
    "variation_true", "variation_pred", "variation_joint",
    "divergence_true", "divergence_pred", "divergence_joint",
    "x_true", "x_pred", "x_joint",
    "accuracy", "balanced_accuracy",
)  # fmt: skip

Transform = Callable[[float, int], float]
# Monotone functions of one quantity and the number of classes.
TRANSFORMS: dict[str, tuple[str, Transform]] = {
    "y": ("mutual_information", lambda value, k: value * 3**0.5 / 2),
    "nit": ("mutual_information", lambda value, k: k ** (value - 1)),
    "ema": ("variation_true", lambda value, k: k**-value),
}


def unchanged(value: float, _: int) -> float:
    """The value itself: the transform of a quantity that has none.

    Args:
        value: Value of a quantity.
        _: Number of classes.

    Returns:
        The value.

    Example:
        >>> unchanged(0.5, 10)
        0.5
    """
    return value


def table_quantities(
    shares: np.ndarray, counted: np.ndarray | None = None, n_classes: int | None = None
) -> np.ndarray:
    """All quantities of tables of shares.

    Args:
        shares: Shares or counts, shape (..., k, k), k at least 2; rows are true classes.
        counted: Classes that the balanced accuracy is a mean over, booleans of shape (k,). None:
            the classes with a share.
        n_classes: Number of classes, if larger than k.

    Returns:
        Values in the order of `QUANTITIES`, shape (..., 12).

    Example:
        >>> values = table_quantities(np.array([[4, 0], [1, 3]]))
        >>> dict(zip(QUANTITIES, values.round(3).tolist()))["balanced_accuracy"]
        0.875
    """
    shares = shares / shares.sum(axis=(-2, -1), keepdims=True)
    k = shares.shape[-1]
    rows, columns = shares.sum(axis=-1), shares.sum(axis=-2)
    cells = shares.reshape(*shares.shape[:-2], -1)
    h_uniform = np.log2(n_classes or k)
    entropies = (-_xlogx(p).sum(axis=-1) / h_uniform for p in (rows, columns, cells))
    linear = linear_quantities(*entropies)
    hits = np.diagonal(shares, axis1=-2, axis2=-1)
    recalls = np.divide(hits, rows, out=np.zeros_like(rows), where=rows > 0)
    counted = rows > 0 if counted is None else np.broadcast_to(counted, rows.shape)
    balanced = (recalls * counted).sum(axis=-1) / counted.sum(axis=-1)
    values = np.stack([*linear, hits.sum(axis=-1), balanced], axis=-1)
    values[np.abs(values) < 1e-12] = 0
    values[np.abs(values - 1) < 1e-12] = 1
    return values


def linear_quantities(
    h_true: np.ndarray, h_pred: np.ndarray, h_joint: np.ndarray
) -> tuple[np.ndarray, ...]:
    """The ten quantities that are linear in the entropies.

    Args:
        h_true: H(X) / log2 k, any shape.
        h_pred: H(Y) / log2 k.
        h_joint: H(X, Y) / log2 k.

    Returns:
        The quantities in the order of `QUANTITIES`, without both accuracies.

    Example:
        >>> linear_quantities(1.0, 1.0, 1.5)[:3]
        (0.5, 0.5, 0.5)
    """
    shared = h_true + h_pred - h_joint
    true, pred = h_joint - h_pred, h_joint - h_true
    d_true, d_pred = 1 - h_true, 1 - h_pred
    d_joint = (d_true + d_pred) / 2
    return (
        *(shared, true, pred, (true + pred) / 2, d_true, d_pred, d_joint),
        *(d_true + shared / 2, d_pred + shared / 2, d_joint + shared / 2),
    )


def _xlogx(p: np.ndarray) -> np.ndarray:
    return p * np.log2(np.maximum(p, 1e-300))
