"""Coordinates and scores of confusion matrices as one array, for tables and resampling."""

import numpy as np

from .confusion import accuracy, balanced_accuracy
from .entropies import entropies
from .perplexities import ema, nit
from .triangle import cartesian, triangle_points

COORDINATES = ("divergence", "mutual_information", "variation", "x", "y")
SCORES = ("accuracy", "balanced_accuracy", "ema", "nit")
QUANTITIES = (*COORDINATES, *SCORES)


def quantities(counts: np.ndarray) -> np.ndarray:
    """All coordinates and scores of confusion matrices.

    Args:
        counts: Counts, shape (..., C, C).

    Returns:
        Values in [0, 1], shape (..., 3 views, 9 quantities), in the order of `VIEWS` and
        `QUANTITIES`. The scores are the same in all views.

    Example:
        >>> values = quantities(np.array([[4, 0], [0, 4]]))
        >>> dict(zip(QUANTITIES, values[0].round(2).tolist()))["accuracy"]
        1.0
    """
    h = entropies(counts)
    scores = [accuracy(counts), balanced_accuracy(counts), ema(h), nit(h)]
    rows = []
    for point in triangle_points(h).values():
        coordinates = (point.divergence, point.mutual_information, point.variation)
        rows.append(np.stack([*coordinates, *cartesian(point), *scores], axis=-1))
    return np.stack(rows, axis=-2)
