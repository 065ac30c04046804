"""Class weights, priors and margins as functions of the number of training samples per class.

Notation: class c has n_c of the N training samples; C is the number of classes. Weights w_c are
scaled so that their mean over the training samples, not over the classes, is one:
sum_c n_c w_c = N. Equal counts then give weights of exactly one. The scale affects the reductions
`sum` and `none` only, since `mean` divides by the sum of the weights.

All functions expect the counts in the order of the class indices and return float64, shape
(n_classes,).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def check_class_counts(counts: ArrayLike) -> np.ndarray:
    """Check class counts and convert them to an array.

    Args:
        counts: Number of training samples per class, at least one each, shape (n_classes,).

    Returns:
        Counts as float64, shape (n_classes,).

    Raises:
        ValueError: If there is no class or a class has no sample.

    Example:
        >>> check_class_counts([3, 1])
        array([3., 1.])
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 1 or not len(counts):
        raise ValueError(f"Argument 'counts' must have the shape (n_classes,), got {counts.shape}.")
    if not (np.isfinite(counts) & (counts > 0)).all():
        raise ValueError(f"Every class needs a training sample, got counts {counts.tolist()}.")
    return counts


def inverse_frequency(counts: ArrayLike) -> np.ndarray:
    """Class weights inversely proportional to the class counts: w_c = N / (C n_c).

    All classes then have the same total weight n_c w_c.

    Args:
        counts: Number of training samples per class.

    Returns:
        Class weights, shape (n_classes,).

    Raises:
        ValueError: See `check_class_counts`.

    Example:
        >>> inverse_frequency([3, 1])
        array([0.66666667, 2.        ])
    """
    counts = check_class_counts(counts)
    return counts.sum() / (len(counts) * counts)


def square_root_inverse(counts: ArrayLike) -> np.ndarray:
    """Class weights inversely proportional to the square root of the counts: w_c ~ n_c^(-1/2).

    Args:
        counts: Number of training samples per class.

    Returns:
        Class weights, shape (n_classes,).

    Raises:
        ValueError: See `check_class_counts`.

    Example:
        >>> square_root_inverse([9, 1]).round(2)
        array([0.83, 2.5 ])
    """
    counts = check_class_counts(counts)
    return _scaled(counts**-0.5, counts)


def effective_number(counts: ArrayLike, *, beta: float | None = None) -> np.ndarray:
    """Class weights by the effective number of samples: w_c ~ (1 - beta) / (1 - beta^n_c).

    The effective number of samples of a class is at most 1 / (1 - beta). With beta = 0 all weights
    are one; as beta approaches 1 they approach those of `inverse_frequency`.

    Args:
        counts: Number of training samples per class.
        beta: Parameter in [0, 1). Default: 1 - 1 / M with the mean count M, so that the effect
            does not depend on the size of the data set. The source tunes beta for every data set,
            from 0.9 to 0.9999.

    Returns:
        Class weights, shape (n_classes,).

    Raises:
        ValueError: If `beta` is out of range; see also `check_class_counts`.

    Source:
        Cui et al. (2019), Class-balanced loss based on effective number of samples, equation 4.
        There the weights sum to the number of classes; the reduction `mean` depends on their
        ratios only.

    Example:
        >>> effective_number([9, 1]).round(2)
        array([0.75, 3.25])
    """
    counts = check_class_counts(counts)
    if beta is None:
        beta = max(0.0, 1 - 1 / counts.mean())
    if not 0 <= beta < 1:
        raise ValueError(f"Argument 'beta' must be in [0, 1), got {beta}.")
    if beta == 0:
        return np.ones_like(counts)
    return _scaled(-1 / np.expm1(counts * np.log(beta)), counts)


WEIGHTINGS: dict[str, Callable[..., np.ndarray]] = {
    function.__name__: function
    for function in (inverse_frequency, square_root_inverse, effective_number)
}


def log_priors(counts: ArrayLike) -> np.ndarray:
    """Logarithms of the class priors: log(n_c / N).

    Args:
        counts: Number of training samples per class.

    Returns:
        Log priors in nats, at most 0, shape (n_classes,).

    Raises:
        ValueError: See `check_class_counts`.

    Example:
        >>> np.exp(log_priors([3, 1])).round(2)
        array([0.75, 0.25])
    """
    counts = check_class_counts(counts)
    return np.log(counts) - np.log(counts.sum())


def ldam_margins(counts: ArrayLike, *, max_margin: float = 0.5) -> np.ndarray:
    """Label-distribution-aware margins, larger for rarer classes: m_c ~ n_c^(-1/4).

    Args:
        counts: Number of training samples per class.
        max_margin: Margin of the rarest class in logits, at least 0.

    Returns:
        Margins, shape (n_classes,).

    Raises:
        ValueError: If `max_margin` is negative; see also `check_class_counts`.

    Source:
        Cao et al. (2019), Learning imbalanced datasets with label-distribution-aware margin
        loss, equation 12.

    Example:
        >>> ldam_margins([16, 1])
        array([0.25, 0.5 ])
    """
    counts = check_class_counts(counts)
    if not max_margin >= 0:
        raise ValueError(f"Argument 'max_margin' must be at least 0, got {max_margin}.")
    return max_margin * (counts.min() / counts) ** 0.25


def _scaled(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return weights * (counts.sum() / (counts @ weights))
