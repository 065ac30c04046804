"""Calibration error without the bias of small samples.

The usual expected calibration error is too large for few samples: in every bin the accuracy differs
from the confidence by chance, and the differences do not cancel. Here the expected square of these
chance differences is subtracted.

    E^2 = sum_b n_b / N (d_b^2 - s_b^2 / n_b),   d_b = mean of correct - confidence in bin b

where s_b is the standard deviation of correct - confidence in the bin.

Source:
    Kumar, Liang and Ma (2019), Verified uncertainty calibration, definition 5.2 (for the predicted
    class; there the confidence is constant within a bin).
"""

import numpy as np
from scipy.optimize import brentq
from scipy.stats import ncx2

N_BINS = 15
_PER_BIN = 10


def calibration_error(
    confidence: np.ndarray, is_correct: np.ndarray, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Root mean square distance of confidence and accuracy, with a confidence interval.

    Bins hold equally many samples: 15 bins, or so many that each holds at least ten samples; equal
    confidences share a bin. Before the correction, E^2 is treated as a scaled noncentral
    chi-squared variable whose first two moments are those of the sum over bins.

    Args:
        confidence: Probability of the predicted class, shape (N,).
        is_correct: Whether the prediction is correct, shape (N,).
        level: Nominal coverage of the interval, in (0, 1).

    Returns:
        Error and the lower and upper limit, each in [0, 1]. The error is 0 if E^2 is negative. With
        fewer than two samples all three are nan.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> confidence = rng.uniform(0.5, 1, 2000)
        >>> error, low, high = calibration_error(confidence, rng.random(2000) < confidence - 0.2)
        >>> bool(low < 0.2 < high)
        True
    """
    n_samples = len(confidence)
    if n_samples < 2:
        return np.nan, np.nan, np.nan
    gaps = np.asarray(is_correct, dtype=float) - confidence
    n_bins = max(1, min(N_BINS, n_samples // _PER_BIN))
    edges = np.quantile(confidence, np.linspace(0, 1, n_bins + 1)[1:-1])
    _, bins, sizes = np.unique(
        np.searchsorted(edges, confidence, side="right"), return_inverse=True, return_counts=True
    )
    means = np.bincount(bins, weights=gaps) / sizes
    squares = np.bincount(bins, weights=(gaps - means[bins]) ** 2)
    chance = squares / np.maximum(sizes - 1, 1) / n_samples  # n_b / N s_b^2 / n_b
    whole = float(sizes @ means**2) / n_samples
    error = np.sqrt(max(0.0, whole - chance.sum()))
    if not chance.sum() > 0:  # no spread in any bin
        return float(error), float(error), float(error)
    scale = chance @ chance / chance.sum()
    freedom = chance.sum() / scale
    limits = (_noncentrality(whole / scale, freedom, (1 + side * level) / 2) for side in (1, -1))
    low, high = (float(np.sqrt(min(1.0, scale * limit))) for limit in limits)
    return float(error), min(low, float(error)), max(high, float(error))


def _noncentrality(value: float, freedom: float, probability: float) -> float:
    """Noncentrality at which `value` is the quantile of `probability`; 0 if there is none."""

    def excess(noncentrality: float) -> float:
        return float(ncx2.cdf(value, freedom, noncentrality)) - probability

    if excess(1e-9) <= 0:
        return 0.0
    upper = value + 1
    while excess(upper) > 0:
        upper *= 2
    return float(brentq(excess, 1e-9, upper))
