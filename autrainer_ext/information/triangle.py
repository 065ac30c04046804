"""Coordinates in the entropy triangle of a classifier.

The entropies satisfy three balance equations. Dividing one by its left side gives three shares
that sum to one, the coordinates of a point:

    true    log2 n_true                = D(X)            +     I(X; Y) + H(X|Y)
    pred    log2 n_pred                =          D(Y)   +     I(X; Y) + H(Y|X)
    joint   log2 n_true + log2 n_pred  = D(X)  +  D(Y)   + 2 * I(X; Y) + H(X|Y) + H(Y|X)

where D(X) = log2 n_true - H(X) is the divergence of the labels from uniformity. The corner of
mutual information is a perfect classifier on balanced data, the corner of variation is guessing,
and the corner of divergence is a single class. If there are as many true as predicted classes,
the true and the pred point have the same height, and the joint point lies halfway between them.

If the left side is log2 1 = 0 (a single class), the shares are undefined. The point is then set to
(1, 0, 0), which is also the point of the same confusion matrix with empty classes added.

With the correction of small samples the shares still sum to one but may be negative; the point
then lies outside the triangle.

Source:
    Valverde-Albacete and Pelaez-Moreno (2010), Two information-theoretic tools to assess the
    performance of multi-class classifiers, and (2014), 10.1371/journal.pone.0084217.
"""

from dataclasses import dataclass

import numpy as np

from .entropies import Entropies, without_rounding

VIEWS = ("true", "pred", "joint")


@dataclass(frozen=True)
class TrianglePoint:
    """Coordinates of points in the entropy triangle; all arrays have the same shape.

    The coordinates of a point sum to one; missing points are nan.

    Attributes:
        divergence: Share of the divergence from uniformity.
        mutual_information: Share of the mutual information.
        variation: Share of the conditional entropy, or in the joint view of the variation of
            information.

    Raises:
        ValueError: If the coordinates of a point do not sum to one.
    """

    divergence: np.ndarray
    mutual_information: np.ndarray
    variation: np.ndarray

    def __post_init__(self) -> None:
        total = np.asarray(self.divergence + self.mutual_information + self.variation)
        if not np.allclose(total[~np.isnan(total)], 1, rtol=0, atol=1e-9):
            raise ValueError(f"Coordinates must sum to one, got {total}.")


def triangle_points(entropies: Entropies) -> dict[str, TrianglePoint]:
    """Points of all three views: true labels, predicted labels, both together.

    Args:
        entropies: Entropies of confusion matrices of any leading shape.

    Returns:
        Mapping from the view, in the order of `VIEWS`, to points of that shape.

    Example:
        >>> from autrainer_ext.information import entropies
        >>> points = triangle_points(entropies([[4, 0], [0, 4]]))
        >>> {view: float(point.mutual_information) for view, point in points.items()}
        {'true': 1.0, 'pred': 1.0, 'joint': 1.0}
    """
    points = (*split_coordinates(entropies), aggregate_coordinates(entropies))
    return dict(zip(VIEWS, points, strict=True))


def split_coordinates(entropies: Entropies) -> tuple[TrianglePoint, TrianglePoint]:
    """Points of the true and of the predicted labels.

    Args:
        entropies: Entropies of confusion matrices of any leading shape.

    Returns:
        The true and the pred point.

    Example:
        >>> from autrainer_ext.information import entropies
        >>> true, pred = split_coordinates(entropies([[4, 0], [4, 0]]))  # always the first class
        >>> float(true.variation), float(pred.divergence)
        (1.0, 1.0)
    """
    h, shared = entropies, entropies.mutual_information
    h_uniform_true, h_uniform_pred = np.log2(h.n_true), np.log2(h.n_pred)
    return (
        _share(h_uniform_true - h.h_true, shared, h.h_true_given_pred, h_uniform_true),
        _share(h_uniform_pred - h.h_pred, shared, h.h_pred_given_true, h_uniform_pred),
    )


def aggregate_coordinates(entropies: Entropies) -> TrianglePoint:
    """Point of true and predicted labels together.

    Args:
        entropies: Entropies of confusion matrices of any leading shape.

    Returns:
        The joint point. Its mutual information is 2 I(X; Y) / (log2 n_true + log2 n_pred).

    Example:
        >>> from autrainer_ext.information import entropies
        >>> point = aggregate_coordinates(entropies([[4, 0], [4, 0]]))  # always the first class
        >>> float(point.variation), float(point.divergence)
        (0.5, 0.5)
    """
    h, h_uniform = entropies, np.log2(entropies.n_true) + np.log2(entropies.n_pred)
    return _share(
        h_uniform - h.h_true - h.h_pred,
        2 * h.mutual_information,
        h.variation_of_information,
        h_uniform,
    )


def cartesian(point: TrianglePoint) -> tuple[np.ndarray, np.ndarray]:
    """Cartesian coordinates of points in the entropy triangle.

    The corners are (1, 0) for divergence, (1/2, sqrt(3)/2) for mutual information and (0, 0) for
    variation.

    Args:
        point: Points of any shape.

    Returns:
        Coordinates x and y of that shape.

    Example:
        >>> x, y = cartesian(TrianglePoint(np.array(0.5), np.array(0.0), np.array(0.5)))
        >>> float(x), float(y)
        (0.5, 0.0)
    """
    return (
        point.divergence + point.mutual_information / 2,
        np.sqrt(3) / 2 * point.mutual_information,
    )


def _share(
    divergence: np.ndarray, shared: np.ndarray, rest: np.ndarray, h_uniform: float
) -> TrianglePoint:
    if h_uniform == 0:
        zero = np.zeros_like(shared)
        return TrianglePoint(zero + 1, zero, zero)
    shares = (without_rounding(divergence), shared, rest)
    return TrianglePoint(*(_without_excess(each / h_uniform) for each in shares))


def _without_excess(share: np.ndarray) -> np.ndarray:
    """Replace shares that rounding errors lift above one by one."""
    return np.where(np.abs(share - 1) < 1e-13, 1.0, share)
