"""Confidence intervals of information measures and accuracies of a confusion matrix.

The intervals are from a posterior over structured tables (`posterior`), which corrects the bias of
entropies estimated from few samples. On a grid of 139 combinations of classes, samples, accuracies
and skews, 95 % intervals contained the true value in 95 to 96 % of the tables on average; see
docs/studies/intervals.md. Below the number of samples from which this holds there is no interval.

The samples must be independent: parts of one recording are not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from autrainer_ext.intervals import jeffreys_interval

from .confusion import check_counts
from .posterior import (
    N_DRAWS,
    QUANTITIES,
    TRANSFORMS,
    estimate,
    limits,
    present_classes,
    samples_needed,
)

_NOTHING = (np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class ConfusionInterval:
    """Interval of one measure of a confusion matrix.

    Attributes:
        corrected: Estimate without the bias of small samples, which lies in the interval; for both
            accuracies the value itself. nan without an interval.
        low: Lower limit; nan without an interval.
        high: Upper limit; nan without an interval.
        n_needed: Number of samples from which an interval is given.
    """

    corrected: float
    low: float
    high: float
    n_needed: int


def confusion_intervals(
    counts: ArrayLike, *, confidence: float = 0.95, n_draws: int = N_DRAWS, seed: int = 0
) -> dict[str, ConfusionInterval]:
    """Confidence intervals of all measures of a confusion matrix.

    Takes 6 ms for 2 classes, 15 ms for 10 and 100 ms for 35 on one core.

    Args:
        counts: Confusion matrix, whole counts, shape (C, C); rows are true classes.
        confidence: Nominal coverage, in (0, 1).
        n_draws: Number of posterior draws.
        seed: Seed of the draws.

    Returns:
        Interval by name: `mutual_information`, `variation_true` (and `_pred`, `_joint`),
        `divergence_true`, `x_true`, `y`, `ema`, `nit`, `accuracy`, `balanced_accuracy`. A single
        class has no intervals.

    Raises:
        ValueError: If the confusion matrix is not square or not valid, or `confidence` or `n_draws`
            is out of range.

    Example:
        >>> counts = np.array([[45, 3, 2], [4, 40, 6], [1, 5, 44]])
        >>> found = confusion_intervals(counts)["ema"]
        >>> round(found.low, 1), round(found.corrected, 1), round(found.high, 1)
        (0.5, 0.6, 0.7)
        >>> confusion_intervals(counts // 5)["ema"]
        ConfusionInterval(corrected=nan, low=nan, high=nan, n_needed=50)
    """
    counts = check_counts(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts % 1).any():
        raise ValueError(
            "Argument 'counts' must be one square matrix of whole numbers, got shape "
            f"{counts.shape}."
        )
    check_interval_settings(confidence, n_draws)
    values = _limits(counts, confidence, n_draws, seed)
    n_classes, n_present = len(counts), len(present_classes(counts))
    found = {}
    for name in (*QUANTITIES, *TRANSFORMS):
        source, transform = TRANSFORMS.get(name, (name, _unchanged))
        needed = samples_needed(source, n_present)
        triple = values.get(source) if counts.sum() >= needed else None
        corrected, *ends = (float(transform(value, n_classes)) for value in triple or _NOTHING)
        found[name] = ConfusionInterval(corrected, min(ends), max(ends), needed)
    return found


def _unchanged(value: float, _: int) -> float:
    return value


def _limits(
    counts: np.ndarray, confidence: float, n_draws: int, seed: int
) -> dict[str, tuple[float, ...]]:
    """Corrected value, lower and upper limit of the quantities of `posterior`, by name."""
    n = counts.sum()
    if len(counts) < 2:
        return {}
    if n < samples_needed("divergence", 0):  # too few for all but the accuracy
        hits = float(np.trace(counts))
        return {"accuracy": (hits / n, *jeffreys_interval(hits, n, confidence=confidence))}
    found = estimate(counts, n_draws=n_draws, seed=seed)
    low, high = limits(found, confidence)
    corrected = found.corrected.clip(low, high)
    return dict(zip(QUANTITIES, zip(corrected, low, high, strict=True), strict=True))


def check_interval_settings(confidence: float, n_draws: int) -> None:
    """Check the settings of the intervals.

    Args:
        confidence: Nominal coverage, in (0, 1).
        n_draws: Number of posterior draws, at least 100.

    Raises:
        ValueError: If a setting is out of range.

    Example:
        >>> check_interval_settings(0.95, 400)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"Argument 'confidence' must be between 0 and 1, got {confidence}.")
    if n_draws < 100:
        raise ValueError(f"Argument 'n_draws' must be at least 100, got {n_draws}.")
