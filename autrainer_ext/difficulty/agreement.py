"""Agreement of runs about the difficulty of samples: rank correlations with intervals.

The rank correlation of two scores depends only on their contingency table: the number of samples
for each pair of values. It is used for scores with few distinct values, such as the cumulative
accuracy of runs of equal length. For scores with many values, samples are sorted instead.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, rankdata

_CELLS_PER_SAMPLE = 64  # of a contingency table above which sorting the samples is faster


@dataclass(frozen=True)
class PairCorrelations:
    """Rank correlations of P pairs of scores, observed and on B bootstrap resamples.

    Attributes:
        pairs: Indices of the two scores of every pair.
        observed: Spearman's rho and Kendall's tau-b, shape (P, 2).
        resampled: The same on the resamples, shape (B, P, 2). All pairs of a resample use the
            same samples.
    """

    pairs: list[tuple[int, int]]
    observed: np.ndarray
    resampled: np.ndarray


@dataclass(frozen=True)
class Agreement:
    """Mean rank correlation of pairs of runs, with confidence intervals; all in [-1, 1].

    Attributes:
        n_pairs: Number of pairs.
        spearman: Mean of Spearman's rho.
        spearman_low: Lower limit of its interval.
        spearman_high: Upper limit of its interval.
        kendall: Mean of Kendall's tau-b.
        kendall_low: Lower limit of its interval.
        kendall_high: Upper limit of its interval.
    """

    n_pairs: int
    spearman: float
    spearman_low: float
    spearman_high: float
    kendall: float
    kendall_low: float
    kendall_high: float


def rank_correlations(counts: np.ndarray) -> tuple[float, float]:
    """Spearman's rho and Kendall's tau-b of two scores from their contingency table.

    Both are corrected for ties: rho is the correlation of mean ranks, tau-b is normalised by the
    numbers of pairs that are not tied.

    Args:
        counts: Contingency table, shape (I, J): number of samples with the i-th value of the
            first and the j-th value of the second score, values ascending. Counts need not be
            whole numbers.

    Returns:
        rho and tau-b in [-1, 1]; nan if a score has the same value for all samples.

    Source:
        Kendall (1945), The treatment of ties in ranking problems. DOI 10.1093/biomet/33.3.239.

    Example:
        >>> rank_correlations(np.eye(3))  # both scores order three samples in the same way
        (1.0, 1.0)
    """
    first, second = counts.sum(axis=1), counts.sum(axis=0)
    untied_first, untied_second = _untied(first), _untied(second)
    if untied_first <= 0 or untied_second <= 0:
        return math.nan, math.nan
    ranks_first, ranks_second = _centred_ranks(first), _centred_ranks(second)
    covariance = ranks_first @ counts @ ranks_second
    rho = covariance / math.sqrt((first @ ranks_first**2) * (second @ ranks_second**2))
    below = np.cumsum(np.cumsum(counts, axis=0), axis=1)  # values at most i and at most j
    below_left = np.zeros_like(below)
    below_left[1:, 1:] = below[:-1, :-1]
    above_left = np.zeros_like(below)  # values above i and below j
    above_left[:, 1:] = (below[-1] - below)[:, :-1]
    tau = (counts * (below_left - above_left)).sum() / math.sqrt(untied_first * untied_second)
    return float(np.clip(rho, -1, 1)), float(np.clip(tau, -1, 1))


def correlate_pairs(
    scores: np.ndarray,
    pairs: Iterable[tuple[int, int]],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> PairCorrelations:
    """Rank correlations of pairs of scores, with bootstrap resamples of the samples.

    Args:
        scores: Scores of the same samples, such as the cumulative accuracy of R runs, shape
            (R, N).
        pairs: Indices of the two scores of every pair.
        n_resamples: Number of bootstrap resamples B; 0 for none.
        seed: Seed of the resampling.
        progress: Function that wraps the iterable of resamples, such as a progress bar.

    Returns:
        Correlations of every pair.

    Raises:
        ValueError: If there are no samples or scores are nan.

    Example:
        >>> scores = np.array([[0.0, 0.5, 1.0], [0.0, 0.5, 1.0], [1.0, 0.5, 0.0]])
        >>> correlate_pairs(scores, [(0, 1), (0, 2)], n_resamples=0).observed.tolist()
        [[1.0, 1.0], [-1.0, -1.0]]
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[1] == 0 or np.isnan(scores).any():
        raise ValueError(
            "Argument 'scores' must hold numbers, shape (runs, samples) with at least one sample, "
            f"got shape {scores.shape}."
        )
    pairs = list(pairs)
    n_samples = scores.shape[1]
    values = [levels(row) for row in scores]
    correlations = [_correlation(values[i], values[j]) for i, j in pairs]

    def correlate(counts: np.ndarray) -> list[tuple[float, float]]:
        return [correlation(counts) for correlation in correlations]

    generator = np.random.default_rng(seed)
    resampled = [
        correlate(np.bincount(generator.integers(n_samples, size=n_samples), minlength=n_samples))
        for _ in progress(range(n_resamples))
    ]
    return PairCorrelations(
        pairs=pairs,
        observed=np.array(correlate(np.ones(n_samples, dtype=int))).reshape(len(pairs), 2),
        resampled=np.array(resampled).reshape(n_resamples, len(pairs), 2),
    )


def mean_agreement(
    correlations: PairCorrelations, among: Sequence[int] | None = None, *, confidence: float = 0.95
) -> Agreement:
    """Mean rank correlation of pairs, with percentile bootstrap intervals.

    The intervals account for the choice of samples, not for the choice of runs. Resamples in
    which a score is constant are left out.

    Args:
        correlations: Correlations of all pairs.
        among: Indices of the pairs to average. Default: all.
        confidence: Nominal coverage of the intervals, in (0, 1).

    Returns:
        Means and intervals; nan if a score of a pair is constant.

    Raises:
        ValueError: If there are no pairs to average or `confidence` is outside (0, 1).

    Example:
        >>> scores = np.array([[0.0, 0.5, 1.0], [0.0, 0.5, 1.0], [1.0, 0.5, 0.0]])
        >>> mean_agreement(correlate_pairs(scores, [(0, 1), (0, 2)], n_resamples=9)).spearman
        0.0
    """
    if not 0 < confidence < 1:
        raise ValueError(f"Argument 'confidence' must be between 0 and 1, got {confidence}.")
    among = list(range(len(correlations.pairs)) if among is None else among)
    if not among:
        raise ValueError("There are no pairs of runs to average.")
    means = correlations.observed[among].mean(axis=0)
    resampled = correlations.resampled[:, among].mean(axis=1)
    resampled = resampled[~np.isnan(resampled).any(axis=1)]
    tail = (1 - confidence) / 2
    limits = np.full((2, 2), np.nan)
    if len(resampled) and not np.isnan(means).any():
        limits = np.quantile(resampled, [tail, 1 - tail], axis=0)
    (rho, tau), (rho_low, tau_low), (rho_high, tau_high) = means, *limits
    return Agreement(
        n_pairs=len(among),
        spearman=float(rho),
        spearman_low=float(rho_low),
        spearman_high=float(rho_high),
        kendall=float(tau),
        kendall_low=float(tau_low),
        kendall_high=float(tau_high),
    )


def levels(scores: np.ndarray) -> np.ndarray:
    """Replace every score by its index among the distinct scores in ascending order.

    Args:
        scores: Score of every sample, shape (N,).

    Returns:
        Indices from 0, shape (N,).

    Example:
        >>> levels(np.array([0.5, 0.2, 0.5, 0.9])).tolist()
        [1, 0, 1, 2]
    """
    return np.unique(scores, return_inverse=True)[1]


def _correlation(
    first: np.ndarray, second: np.ndarray
) -> Callable[[np.ndarray], tuple[float, float]]:
    """Function from how often each sample is drawn to the rank correlations of two scores."""
    shape = int(first.max()) + 1, int(second.max()) + 1
    if math.prod(shape) > _CELLS_PER_SAMPLE * len(first):
        return lambda counts: _sorted_correlations(
            np.repeat(first, counts), np.repeat(second, counts)
        )
    cells = first * shape[1] + second

    def of_table(counts: np.ndarray) -> tuple[float, float]:
        return rank_correlations(np.bincount(cells, counts, math.prod(shape)).reshape(shape))

    return of_table


def _sorted_correlations(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Spearman's rho and Kendall's tau-b of samples, as `rank_correlations`."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan, math.nan
    rho = np.corrcoef(rankdata(first), rankdata(second))[0, 1]
    return float(np.clip(rho, -1, 1)), float(kendalltau(first, second).statistic)


def _untied(counts: np.ndarray) -> float:
    """Number of pairs of samples whose values differ."""
    total = float(counts.sum())
    return (total**2 - float((counts.astype(float) ** 2).sum())) / 2


def _centred_ranks(counts: np.ndarray) -> np.ndarray:
    """Mean rank of every distinct value minus the mean rank of all samples."""
    return np.cumsum(counts) - counts / 2 - counts.sum() / 2
