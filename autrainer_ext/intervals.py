"""Confidence intervals of means over samples, clusters of samples and crossed random factors."""

import numpy as np
from scipy.stats import bootstrap, t

_BATCH_BYTES = 2**26


def mean_interval(
    values: np.ndarray, *, confidence: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Confidence interval of a mean: bias-corrected and accelerated (BCa) bootstrap.

    Args:
        values: Independent values, shape (N,), finite.
        confidence: Nominal coverage, in (0, 1).
        n_resamples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        Lower and upper limit. If all values are equal, both limits are that value. With fewer
        than two values both limits are nan.

    Raises:
        ValueError: If `values` is not one-dimensional or holds a value that is not finite.

    Source:
        Efron (1987), Better bootstrap confidence intervals. doi:10.1080/01621459.1987.10478410

    Example:
        >>> mean_interval(np.array([0, 1, 1, 1, 0, 1, 1, 1, 1, 1]))
        (0.5, 1.0)
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("Argument 'values' must be a one-dimensional array of finite numbers.")
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
    """Confidence interval of a mean over two crossed random factors, such as seeds and recordings.

    The interval accounts for both factors: it applies to other seeds and other recordings. (An
    interval over the recordings' means would apply to other recordings only.) The variance of the
    mean is (MS_rows + MS_columns - MS_residual) / (R C), with the mean squares of a two-way
    analysis of variance, and at least the variance due to either factor alone. The interval is
    that of Student's t distribution with Satterthwaite's degrees of freedom.

    Args:
        values: Value of every recording (column) with every seed (row), shape (R, C), finite. For
            the paired comparison of two conditions, pass their differences.
        confidence: Nominal coverage, in (0, 1).

    Returns:
        Lower and upper limit. With a single row, the interval is Student's over the columns. If
        all values are equal, both limits are that value. With fewer than two columns both limits
        are nan.

    Raises:
        ValueError: If `values` is not two-dimensional or holds a value that is not finite.

    Source:
        Satterthwaite (1946), An approximate distribution of estimates of variance components.
        doi:10.2307/3002019

    Example:
        >>> low, high = crossed_mean_interval(np.array([[1, 2, 3], [2, 3, 4]]))
        >>> round(low, 2), round(high, 2)
        (0.01, 4.99)
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError("Argument 'values' must be a two-dimensional array of finite numbers.")
    n_rows, n_columns = values.shape
    if n_rows < 1 or n_columns < 2:
        return np.nan, np.nan
    mean = values.mean()
    rows, columns = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    residual = values - mean - rows[:, None] - columns
    freedom = np.array([n_rows - 1, n_columns - 1, (n_rows - 1) * (n_columns - 1)])
    squares = [n_columns * rows @ rows, n_rows * columns @ columns, np.square(residual).sum()]
    of_rows, of_columns, of_residual = squares / np.maximum(freedom, 1) / values.size
    variance = max(of_rows + of_columns - of_residual, of_rows, of_columns)
    if not variance > 0:
        return float(mean), float(mean)
    terms = np.square([of_rows, of_columns, of_residual]) / np.maximum(freedom, 1)
    half_width = t.ppf((1 + confidence) / 2, variance**2 / terms.sum()) * np.sqrt(variance)
    return float(mean - half_width), float(mean + half_width)


def cluster_contributions(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Contributions of clusters to a mean, for an interval that allows for dependence within them.

    The mean of the contributions equals the mean of the values. Pass the contributions to
    `mean_interval`: clusters are independent, values of the same cluster need not be. If clusters
    differ in size, the mean is the ratio of two sums, of the values and of the sizes. The
    contributions are those of its linearisation: mean + (K / N) sum_i (x_i - mean), where i runs
    over the values of the cluster and K is the number of clusters. The size of a cluster alone
    does not make its contribution extreme.

    Args:
        values: Values, shape (N,).
        clusters: Cluster label of every value, shape (N,); any sortable type.

    Returns:
        Contributions in ascending order of the cluster labels, shape (K,). If all clusters have
        the same size, they are the means of the clusters.

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


def difference_interval(
    first: tuple[float, float, float], second: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Difference of two independent estimates, with an interval made of their own intervals.

    low = d - sqrt((a - a_low)^2 + (b_high - b)^2), high = d + sqrt((a_high - a)^2 + (b - b_low)^2)
    with d = a - b. The interval keeps the asymmetry of the two intervals and has their coverage.

    Args:
        first: Estimate a, lower and upper limit.
        second: Estimate b, lower and upper limit, of the same coverage.

    Returns:
        Difference, lower and upper limit; nan where a limit is nan.

    Source:
        Zou and Donner (2008), Construction of confidence limits about effect measures: a general
        approach. doi:10.1002/sim.3095

    Example:
        >>> [round(each, 2) for each in difference_interval((0.7, 0.6, 0.9), (0.5, 0.5, 0.5))]
        [0.2, 0.1, 0.4]
    """
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    below, above = np.hypot(a - a_low, b_high - b), np.hypot(a_high - a, b - b_low)
    return a - b, float(a - b - below), float(a - b + above)
