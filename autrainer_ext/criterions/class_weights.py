"""Class weights, priors and margins as functions of the number of training samples per class.

Weights are scaled so that their mean over the training samples, not over the classes, is one:
sum(n_c w_c) = N. The average training sample then counts as much as without weights, whatever
the weighting, and equal counts give weights of exactly one. Means of weighted losses are divided
by the weights they hold, so that the scale shows in the reductions `sum` and `none` only.

All functions take the counts in the order of the classes and return float64, shape (n_classes,).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def check_class_counts(counts: ArrayLike) -> np.ndarray:
    """Counts as an array.

    Args:
        counts: Training samples per class, at least one each, shape (n_classes,).

    Raises:
        ValueError: If there is no class, or one that has no sample.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 1 or not len(counts):
        raise ValueError(f"counts must have the shape (n_classes,), got {counts.shape}.")
    if not (np.isfinite(counts) & (counts > 0)).all():
        raise ValueError(f"Every class needs a training sample, got counts {counts.tolist()}.")
    return counts


def inverse_frequency(counts: ArrayLike) -> np.ndarray:
    """Weights that give every class the same total: w_c = N / (C n_c).

    Args:
        counts: Training samples per class.

    Raises:
        ValueError: See `check_class_counts`.

    Example:
        >>> inverse_frequency([3, 1])
        array([0.66666667, 2.        ])
    """
    counts = check_class_counts(counts)
    return counts.sum() / (len(counts) * counts)


def square_root_inverse(counts: ArrayLike) -> np.ndarray:
    """Weights half way between none and `inverse_frequency`, on a log scale: w_c ~ n_c^(-1/2).

    Args:
        counts: Training samples per class.

    Raises:
        ValueError: See `check_class_counts`.
    """
    counts = check_class_counts(counts)
    return _scaled(counts**-0.5, counts)


def effective_number(counts: ArrayLike, *, beta: float | None = None) -> np.ndarray:
    """Weights by the effective number of samples: w_c ~ (1 - beta) / (1 - beta^n_c).

    A class of many samples counts as at most 1 / (1 - beta). With beta = 0 all weights are one,
    towards beta = 1 they become those of `inverse_frequency`.

    Args:
        counts: Training samples per class.
        beta: In [0, 1). Default: 1 - 1 / M with M the mean count, so that the weighting does the
            same to a small data set as to a large one. The source chooses beta for every data
            set, from 0.9 to 0.9999.

    Raises:
        ValueError: If `beta` is out of its range; see also `check_class_counts`.

    Source:
        Cui et al. (2019), Class-balanced loss based on effective number of samples, equation 4.
        There the weights sum to the number of classes; only their ratios matter to a mean.
    """
    counts = check_class_counts(counts)
    if beta is None:
        beta = max(0.0, 1 - 1 / counts.mean())
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be in [0, 1), got {beta}.")
    if beta == 0:
        return np.ones_like(counts)
    return _scaled(-1 / np.expm1(counts * np.log(beta)), counts)


WEIGHTINGS: dict[str, Callable[..., np.ndarray]] = {
    function.__name__: function
    for function in (inverse_frequency, square_root_inverse, effective_number)
}


def log_priors(counts: ArrayLike) -> np.ndarray:
    """Logarithms of the shares of the classes in the training samples, nats, at most 0.

    Args:
        counts: Training samples per class.

    Raises:
        ValueError: See `check_class_counts`.
    """
    counts = check_class_counts(counts)
    return np.log(counts) - np.log(counts.sum())


def ldam_margins(counts: ArrayLike, *, max_margin: float = 0.5) -> np.ndarray:
    """Margins that grow as classes get rarer: m_c ~ n_c^(-1/4), the rarest has `max_margin`.

    Args:
        counts: Training samples per class.
        max_margin: Margin of the rarest class, in logits, at least 0.

    Raises:
        ValueError: If `max_margin` is negative; see also `check_class_counts`.

    Source:
        Cao et al. (2019), Learning imbalanced datasets with label-distribution-aware margin
        loss, equation 12.
    """
    counts = check_class_counts(counts)
    if not max_margin >= 0:
        raise ValueError(f"max_margin must be at least 0, got {max_margin}.")
    return max_margin * (counts.min() / counts) ** 0.25


def _scaled(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return weights * (counts.sum() / (counts @ weights))
