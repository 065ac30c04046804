"""Paired comparison of groups of runs, over seeds and samples, all pairs at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from autrainer_ext.intervals import crossed_mean_variance, simultaneous_quantiles

from .contributions import Contributions

# Contributions of each run of a group to one measure, by seed.
Group = Mapping[str, Sequence[Contributions]]


@dataclass(frozen=True)
class Difference:
    """Difference between two groups in one measure.

    Attributes:
        first: Name of the first group.
        second: Name of the second group.
        n_seeds: Number of common seeds.
        difference: Mean of the corrected values of the first group minus that of the second.
        low: Lower limit of the simultaneous interval; nan if a run has no interval.
        high: Upper limit of the simultaneous interval.
    """

    first: str
    second: str
    n_seeds: int
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class _Mean:
    """Means of the attributes of `Contributions` over the runs of a seed."""

    corrected: float
    below: np.ndarray
    above: np.ndarray
    below_apart: float
    above_apart: float


@dataclass(frozen=True)
class _Pair:
    """Two groups with S common seeds and N samples: means over the runs of each seed.

    Attributes:
        values: Differences of the corrected values, by seed.
        sides: Differences of the contributions for the lower and the upper limit, shape (2, S, N).
        apart: Half widths that no sample carries, shape (2,).
    """

    first: str
    second: str
    values: dict[str, float]
    sides: np.ndarray
    apart: np.ndarray


def compare_groups(
    groups: Mapping[str, Group], *, confidence: float = 0.95, seed: int = 0
) -> list[Difference]:
    """Differences between all pairs of groups of runs in one measure, with simultaneous intervals.

    The intervals are for other seeds and other samples: the variance is that of a two-way analysis
    of variance (`crossed_mean_variance`) of the differences of contributions. With one common seed,
    they are for other samples only. All intervals together contain their true differences with
    probability `confidence` (`simultaneous_quantiles`).

    Args:
        groups: For each group, the contributions of its runs to the measure, by seed. All are of
            the same samples in the same order.
        confidence: Nominal coverage of all intervals together, in (0, 1); that of the intervals
            which the contributions were computed for.
        seed: Seed of the simulation of the quantiles.

    Returns:
        Differences of all pairs that have a common seed.

    Example:
        >>> from autrainer_ext.information import sample_contributions
        >>> rng = np.random.default_rng(0)
        >>> y_true, groups = rng.integers(0, 3, 300), {}
        >>> for name, accuracy in (("good", 0.9), ("poor", 0.5)):
        ...     y_pred = np.where(rng.random(300) < accuracy, y_true, rng.integers(0, 3, 300))
        ...     groups[name] = {"1": [sample_contributions(y_true, y_pred, 3)["ema"]]}
        >>> (found,) = compare_groups(groups)
        >>> found.first, found.second, found.n_seeds, bool(found.low > 0)
        ('good', 'poor', 1, True)
    """
    pairs = [
        _pair(first, second, groups[first], groups[second])
        for first, second in combinations(groups, 2)
        if set(groups[first]) & set(groups[second])
    ]
    half_widths = np.full((len(pairs), 2), np.nan)
    given = [number for number, pair in enumerate(pairs) if np.isfinite(pair.sides).all()]
    if given:
        half_widths[given] = _half_widths([pairs[number] for number in given], confidence, seed)
    found = []
    for pair, (below, above) in zip(pairs, half_widths.tolist(), strict=True):
        value = float(np.mean(list(pair.values.values())))
        names = pair.first, pair.second, len(pair.values)
        found.append(Difference(*names, value, value - below, value + above))
    return found


def _pair(first: str, second: str, one: Group, other: Group) -> _Pair:
    values, below, above, apart = {}, [], [], []
    for seed in (seed for seed in one if seed in other):
        a, b = (_mean_of_runs(group[seed]) for group in (one, other))
        values[seed] = a.corrected - b.corrected
        below.append(a.below - b.above)
        above.append(a.above - b.below)
        apart.append((a.below_apart + b.above_apart, a.above_apart + b.below_apart))
    return _Pair(first, second, values, np.stack([below, above]), np.mean(apart, axis=0))


def _mean_of_runs(runs: Sequence[Contributions]) -> _Mean:
    return _Mean(
        float(np.mean([run.interval.corrected for run in runs])),
        np.mean([run.below for run in runs], axis=0),
        np.mean([run.above for run in runs], axis=0),
        float(np.mean([run.below_apart for run in runs])),
        float(np.mean([run.above_apart for run in runs])),
    )


def _half_widths(pairs: Sequence[_Pair], confidence: float, seed: int) -> np.ndarray:
    """Distances of the difference to the lower and the upper limit, shape (P, 2)."""
    freedom, error = np.empty((len(pairs), 2)), np.empty((len(pairs), 2))
    for number, pair in enumerate(pairs):
        values = np.array(list(pair.values.values()))
        for side in range(2):
            variance, freedom[number, side] = crossed_mean_variance(
                values[:, None] + pair.sides[side]
            )
            error[number, side] = np.sqrt(variance)
    correlation = _correlation(pairs)
    quantiles = [
        simultaneous_quantiles(correlation, freedom[:, side], confidence=confidence, seed=seed)
        for side in range(2)
    ]
    return np.stack(quantiles, axis=1) * error + np.stack([pair.apart for pair in pairs])


def _correlation(pairs: Sequence[_Pair]) -> np.ndarray:
    """Correlation of the differences from their effects of seeds and of samples, shape (P, P)."""
    seeds = sorted({seed for pair in pairs for seed in pair.values})
    effects = []
    for pair in pairs:
        values = np.array(list(pair.values.values()))
        deviations = (values - values.mean()) / np.sqrt(max(len(values) * (len(values) - 1), 1))
        of_seed = dict(zip(pair.values, deviations, strict=True))
        samples = pair.sides.mean(axis=(0, 1))
        by_sample = samples / np.sqrt(len(samples) * (len(samples) - 1))
        effects.append(np.append([of_seed.get(seed, 0.0) for seed in seeds], by_sample))
    table = np.array(effects)
    length = np.linalg.norm(table, axis=1, keepdims=True)
    table = np.divide(table, length, out=np.zeros_like(table), where=length > 0)
    correlation = table @ table.T
    np.fill_diagonal(correlation, 1)
    return correlation
