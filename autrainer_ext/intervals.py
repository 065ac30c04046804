"""Intervals of means over samples, clusters of samples and crossed random factors."""

import numpy as np
from scipy.stats import bootstrap, t

_BATCH_BYTES = 2**26


def mean_interval(
    values: np.ndarray, *, confidence: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval of a mean.

    Args:
        values: Independent values, shape (N,), finite.
        confidence: Coverage, in (0, 1).
        n_resamples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        Lower and upper end. Values that are all equal give that value twice; fewer than two
        values say nothing about their spread and give nan twice.

    Raises:
        ValueError: If `values` is not one-dimensional or holds a value that is not finite.

    Source:
        Efron (1987), Better bootstrap confidence intervals. doi:10.1080/01621459.1987.10478410
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("values must be a one-dimensional array of finite numbers.")
    if len(values) < 2:
        return np.nan, np.nan
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    interval = bootstrap(
        (values,),
        np.mean,
        confidence_level=confidence,
        n_resamples=n_resamples,
        rng=np.random.default_rng(seed),
        batch=max(1, _BATCH_BYTES // (8 * len(values))),
        vectorized=True,
    ).confidence_interval
    return float(interval.low), float(interval.high)


def crossed_mean_interval(values: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a mean over two crossed random factors, such as seeds and recordings.

    Holds for other seeds and other recordings, where the mean over seeds of every recording would
    hold for other recordings only. With the mean squares of the rows, columns and the rest of a
    two-way analysis of variance, the variance of the mean is (rows + columns - rest) / (R C), and
    no less than either factor's alone; its degrees of freedom are Satterthwaite's.

    Args:
        values: Shape (R, C), finite: the value of every recording (column) with every seed (row).
            Differences of two conditions give their paired interval.
        confidence: Coverage, in (0, 1).

    Returns:
        Lower and upper end. A single row says nothing about rows: the interval then is Student's
        for other columns. Values that are all equal give that value twice; fewer than two columns
        give nan twice.

    Raises:
        ValueError: If `values` is not two-dimensional or holds a value that is not finite.

    Source:
        Satterthwaite (1946), An approximate distribution of estimates of variance components.
        doi:10.2307/3002019
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError("values must be a two-dimensional array of finite numbers.")
    n_rows, n_columns = values.shape
    if n_rows < 1 or n_columns < 2:
        return np.nan, np.nan
    mean = values.mean()
    rows, columns = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    rest = values - mean - rows[:, None] - columns
    freedom = np.array([n_rows - 1, n_columns - 1, (n_rows - 1) * (n_columns - 1)])
    squares = [n_columns * rows @ rows, n_rows * columns @ columns, np.square(rest).sum()]
    of_rows, of_columns, of_rest = squares / np.maximum(freedom, 1) / values.size
    variance = max(of_rows + of_columns - of_rest, of_rows, of_columns)
    if not variance > 0:
        return float(mean), float(mean)
    terms = np.square([of_rows, of_columns, of_rest]) / np.maximum(freedom, 1)
    half_width = t.ppf((1 + confidence) / 2, variance**2 / terms.sum()) * np.sqrt(variance)
    return float(mean - half_width), float(mean + half_width)


def cluster_contributions(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Contribution of every cluster to a mean; the contributions have the same mean.

    With clusters of different sizes the mean is a ratio of two sums, of values and of sizes. The
    contributions are those of its linearisation, so that a large cluster does not count as an
    extreme one. An interval of their mean accounts for the dependence within clusters.

    Args:
        values: Shape (N,).
        clusters: Cluster of every value, shape (N,); any sortable labels.

    Returns:
        Shape (number of clusters,), clusters in ascending order; the mean of a cluster if all
        clusters have the same size.

    Source:
        Cochran (1977), Sampling techniques, chapter 9A, clusters of unequal size.

    Example:
        >>> cluster_contributions(np.array([1.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]))
        array([0.5, 1. ])
    """
    values = np.asarray(values, dtype=float)
    labels, inverse = np.unique(clusters, return_inverse=True)
    mean = values.mean()
    deviations = np.bincount(inverse, weights=values - mean, minlength=len(labels))
    return mean + deviations * len(labels) / len(values)
