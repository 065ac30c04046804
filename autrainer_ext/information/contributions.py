"""Contributions of samples to information measures, for paired comparisons.

An interval of a difference of two classifiers on the same samples is narrower the more their
mistakes agree. What a sample adds to a measure is its influence function, on the posterior mean of
the confusion matrix. Contributions are scaled so that their mean has the interval of the measure,
which contains the uncertainty of the bias; differences of contributions then have the interval of
Zou and Donner, with the correlation of the influence functions.

Source:
    Zou and Donner (2008), Construction of confidence limits about effect measures: a general
    approach. 10.1002/sim.3095.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .confusion import confusion_counts
from .confusion_intervals import (
    FEWEST_SAMPLES,
    ConfusionInterval,
    confusion_intervals,
    estimated_intervals,
)
from .posterior import N_DRAWS, QUANTITIES, TRANSFORMS, estimate
from .posterior.quantities import linear_quantities, unchanged

_NO_ERROR = 1e-12


@dataclass(frozen=True)
class Contributions:
    """Contributions of N samples to a measure, around its corrected value.

    Attributes:
        interval: Interval of the measure.
        below: Contributions whose mean has the distance to the lower limit as half the width of
            its interval, shape (N,); their mean is zero.
        above: The same for the upper limit, shape (N,).
        below_apart: Distance to the lower limit that no sample carries, because the limit is on the
            border of the range or all samples have the same influence; `below` is then zero.
        above_apart: The same for the upper limit.
    """

    interval: ConfusionInterval
    below: np.ndarray
    above: np.ndarray
    below_apart: float
    above_apart: float


def sample_contributions(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    n_classes: int,
    *,
    confidence: float = 0.95,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> dict[str, Contributions]:
    """Contributions of samples to the measures of a classifier.

    Args:
        y_true: True class indices, shape (N,).
        y_pred: Predicted class indices, shape (N,).
        n_classes: Number of classes.
        confidence: Nominal coverage of the intervals, in (0, 1).
        n_draws: Number of posterior draws.
        seed: Seed of the draws; give classifiers that are compared different ones.

    Returns:
        Contributions by the names of `confusion_intervals`. They are nan where there are too few
        samples for an interval.

    Raises:
        ValueError: If the labels are not valid, see `confusion_counts`, or there are none.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y_true = rng.integers(0, 3, 200)
        >>> y_pred = np.where(rng.random(200) < 0.8, y_true, rng.integers(0, 3, 200))
        >>> found = sample_contributions(y_true, y_pred, 3)["ema"]
        >>> bool(found.interval.low < found.interval.corrected < found.interval.high)
        True
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    counts = confusion_counts(y_true, y_pred, n_classes)
    if n_classes > 1 and len(y_true) >= FEWEST_SAMPLES:
        found = estimate(counts, n_draws=n_draws, seed=seed)
        intervals = estimated_intervals(counts, found, confidence=confidence)
        values = influence(found.mean_table, y_true, y_pred)
    else:
        intervals = confusion_intervals(counts, confidence=confidence)
        values = np.full((len(y_true), len(QUANTITIES)), np.nan)
    contributions = {}
    for name, interval in intervals.items():
        source, transform = TRANSFORMS.get(name, (name, unchanged))
        own = values[:, QUANTITIES.index(source)]
        ends = transform(0, n_classes), transform(1, n_classes)
        contributions[name] = _scale(interval, own if ends[0] < ends[1] else -own, ends, confidence)
    return contributions


def influence(table: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Influence of samples on the quantities of `posterior`, around their mean.

    Args:
        table: Shares of the cells, shape (k, k), positive where there are samples.
        y_true: True class indices, shape (N,).
        y_pred: Predicted class indices, shape (N,).

    Returns:
        Derivatives of the quantities by the shares of the samples, shape (N, 12).

    Example:
        >>> table, labels = np.array([[0.4, 0.1], [0.1, 0.4]]), np.array([0, 1])
        >>> influence(table, labels, np.array([0, 0]))[:, -2].tolist()  # of the accuracy
        [0.5, -0.5]
    """
    k = len(table)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    h_uniform = np.log2(k)
    shares = (rows[y_true], columns[y_pred], table[y_true, y_pred])
    linear = linear_quantities(*(-np.log2(share) / h_uniform for share in shares))
    hit = (y_true == y_pred).astype(float)
    recall = np.diagonal(table) / np.maximum(rows, 1e-300)
    balanced = (hit - recall[y_true]) / (rows[y_true] * k)
    values = np.stack([*linear, hit, balanced], axis=-1)
    return values - values.mean(axis=0)


def _scale(
    interval: ConfusionInterval, own: np.ndarray, ends: tuple[float, float], confidence: float
) -> Contributions:
    """Scale influences to the interval; ends of the range in any order."""
    error = own.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else np.nan
    sides: list[np.ndarray] = []
    apart: list[float] = []
    for limit, end in ((interval.low, min(ends)), (interval.high, max(ends))):
        distance = abs(limit - interval.corrected)
        is_apart = limit == end or error < _NO_ERROR
        scale = 0.0 if is_apart else distance / (ndtri((1 + confidence) / 2) * error)
        sides.append(scale * own)
        apart.append(distance if is_apart else 0.0)
    return Contributions(interval, sides[0], sides[1], apart[0], apart[1])
