"""Confidence intervals of shares and of means over samples, clusters or crossed random factors."""

import numpy as np
from scipy.special import betaincinv
from scipy.stats import bootstrap, norm, t

N_RESAMPLES = 1000
_BATCH_BYTES = 2**26
_SIMULATIONS = 10_000


def mean_interval(
    values: np.ndarray, *, confidence: float = 0.95, n_resamples: int = N_RESAMPLES, seed: int = 0
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


def jeffreys_interval(hits: float, n: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Jeffreys confidence interval of a share.

    Args:
        hits: Number of samples that count, in [0, n]; not necessarily whole.
        n: Number of samples, positive.
        confidence: Nominal coverage, in (0, 1).

    Returns:
        Lower and upper limit in [0, 1]: quantiles of Beta(hits + 1/2, n - hits + 1/2). The lower
        limit is 0 without hits, the upper limit is 1 if all samples are hits.

    Source:
        Brown, Cai and DasGupta (2001), Interval estimation for a binomial proportion.
        doi:10.1214/ss/1009213286

    Example:
        >>> low, high = jeffreys_interval(38, 40)
        >>> round(low, 3), round(high, 3)
        (0.849, 0.989)
    """
    tail, tiny = (1 - confidence) / 2, 1e-9
    low = betaincinv(hits + 0.5, n - hits + 0.5, tail) if hits > tiny else 0.0
    high = betaincinv(hits + 0.5, n - hits + 0.5, 1 - tail) if hits < n - tiny else 1.0
    return float(low), float(high)


def share_interval(
    values: np.ndarray, clusters: np.ndarray | None = None, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Confidence interval of a mean of values in [0, 1], such as an accuracy.

    Jeffreys' interval of a share with an effective number of samples, the number at which a share
    has the estimated variance of the mean. For independent values of 0 and 1, this is their number.
    For other values and for clusters it is K (K p (1 - p) + w) / (S + w), where K is the number of
    clusters, p the mean, S the sum of squared deviations of their contributions and w the variance
    of a single sample, so that equal values have an interval, too; times (z / t)^2 with K - 1
    degrees of freedom, because the variance is estimated.

    Args:
        values: Values in [0, 1], shape (N,), such as 1 for correct and 0 for wrong predictions.
        clusters: Cluster label of every value, shape (N,); values of the same cluster need not be
            independent. None: all values are independent.
        confidence: Nominal coverage, in (0, 1).

    Returns:
        Lower and upper limit in [0, 1]; nan without values, and for a single cluster.

    Raises:
        ValueError: If `values` is not one-dimensional or holds a value outside [0, 1].

    Source:
        Korn and Graubard (1998), Confidence intervals for proportions with small expected number of
        positive counts estimated from survey data. Survey Methodology 24, 193.

    Example:
        >>> low, high = share_interval(np.array([1, 1, 1, 1, 0, 1, 1, 1, 1, 1]))
        >>> round(low, 2), round(high, 2)
        (0.62, 0.99)
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("Argument 'values' must be a one-dimensional array of values in [0, 1].")
    if not len(values):
        return np.nan, np.nan
    if clusters is not None and len(np.unique(clusters)) == len(values):
        clusters = None
    mean, n = values.mean(), float(len(values))
    if clusters is not None or not np.isin(values, (0, 1)).all():
        parts = values if clusters is None else cluster_contributions(values, clusters)
        if len(parts) < 2:
            return np.nan, np.nan
        smooth = (n * mean + 0.5) / (n + 1)
        single, k = smooth * (1 - smooth), len(parts)
        n = k * (k * mean * (1 - mean) + single) / (np.square(parts - mean).sum() + single)
        tail = (1 + confidence) / 2
        n *= (norm.ppf(tail) / t.ppf(tail, k - 1)) ** 2
    return jeffreys_interval(mean * n, n, confidence=confidence)


def paired_share_interval(
    first: np.ndarray, second: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Difference of two shares of the same samples, such as two accuracies, with its interval.

    Adjusted Wald interval: p1 = (b + 1) / (n + 2) and p2 = (c + 1) / (n + 2), with b samples that
    count only in the first and c only in the second, give p1 - p2 -+ z sqrt((p1 + p2 -
    (p1 - p2)^2) / (n + 2)). It has a width even if no sample differs.

    Args:
        first: Whether every sample counts, shape (N,).
        second: The same for the other share, shape (N,).
        confidence: Nominal coverage, in (0, 1).

    Returns:
        Difference of the shares (first minus second), lower and upper limit in [-1, 1]; nan
        without samples.

    Source:
        Bonett and Price (2012), Adjusted Wald confidence interval for a difference of binomial
        proportions based on paired data. doi:10.3102/1076998611411915

    Example:
        >>> same = np.array([True] * 98)
        >>> [round(each, 3) for each in paired_share_interval(same, same)]
        [0.0, -0.028, 0.028]
    """
    if not len(first):
        return np.nan, np.nan, np.nan
    only_first, only_second = (first & ~second).sum(), (second & ~first).sum()
    n = len(first)
    one, other = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    centre = one - other
    half = norm.ppf((1 + confidence) / 2) * np.sqrt((one + other - centre**2) / (n + 2))
    limits = np.clip((centre - half, centre + half), -1, 1)
    return float((only_first - only_second) / n), float(limits[0]), float(limits[1])


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
    if values.ndim == 2 and (values.shape[0] < 1 or values.shape[1] < 2):
        return np.nan, np.nan
    variance, freedom = crossed_mean_variance(values)
    half_width = t.ppf((1 + confidence) / 2, freedom) * np.sqrt(variance) if variance > 0 else 0.0
    return float(values.mean() - half_width), float(values.mean() + half_width)


def crossed_mean_variance(values: np.ndarray) -> tuple[float, float]:
    """Variance of a mean over two crossed random factors, as in `crossed_mean_interval`.

    Args:
        values: Value of every recording (column) with every seed (row), shape (R, C), R at least 1
            and C at least 2, finite.

    Returns:
        Variance and Satterthwaite's degrees of freedom; the latter infinite if the variance is 0.

    Raises:
        ValueError: If `values` is not two-dimensional or holds a value that is not finite.

    Example:
        >>> crossed_mean_variance(np.array([[1.0, 3.0]]))
        (1.0, 1.0)
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError("Argument 'values' must be a two-dimensional array of finite numbers.")
    n_rows, n_columns = values.shape
    mean = values.mean()
    rows, columns = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    residual = values - mean - rows[:, None] - columns
    freedom = np.array([n_rows - 1, n_columns - 1, (n_rows - 1) * (n_columns - 1)])
    squares = [n_columns * rows @ rows, n_rows * columns @ columns, np.square(residual).sum()]
    of_rows, of_columns, of_residual = squares / np.maximum(freedom, 1) / values.size
    variance = max(of_rows + of_columns - of_residual, of_rows, of_columns)
    if not variance > 0:
        return 0.0, np.inf
    terms = np.square([of_rows, of_columns, of_residual]) / np.maximum(freedom, 1)
    return float(variance), float(variance**2 / terms.sum())


def simultaneous_quantiles(
    correlation: np.ndarray, freedom: np.ndarray, *, confidence: float = 0.95, seed: int = 0
) -> np.ndarray:
    """Quantiles of Student's t for intervals that all hold at once, by simulation.

    An interval is an estimate plus and minus its quantile times its standard error. All of them
    contain their true values in the share `confidence` of the cases, and each misses its own
    equally often. The standard errors are taken as independent of each other, which is
    conservative.

    Args:
        correlation: Correlation of the estimates, shape (P, P).
        freedom: Degrees of freedom of each standard error, shape (P,); may be infinite.
        confidence: Nominal coverage of all intervals together, in (0, 1).
        seed: Seed of the simulation.

    Returns:
        Quantiles, shape (P,); for a single estimate that of Student's t.

    Source:
        Westfall and Young (1993), Resampling-based multiple testing: single-step adjustment by the
        smallest p-value.

    Example:
        >>> independent, equal = np.eye(3), np.ones((3, 3))
        >>> simultaneous_quantiles(independent, np.full(3, np.inf)).round(1).tolist()
        [2.4, 2.4, 2.4]
        >>> simultaneous_quantiles(equal, np.full(3, np.inf)).round(1).tolist()
        [2.0, 2.0, 2.0]
    """
    if len(freedom) < 2:
        return t.ppf((1 + confidence) / 2, freedom)
    rng = np.random.default_rng(seed)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(eigenvalues.clip(min=0))
    size = (_SIMULATIONS, len(freedom))
    degrees = np.where(np.isfinite(freedom), freedom, 1e9)
    errors = np.sqrt(rng.chisquare(degrees, size) / degrees)
    smallest = 2 * t.sf(np.abs(rng.standard_normal(size) @ root.T) / errors, degrees).min(axis=1)
    return t.isf(np.quantile(smallest, 1 - confidence) / 2, degrees)


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
