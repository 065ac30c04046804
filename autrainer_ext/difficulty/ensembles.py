"""Agreement of ensembles by their size: the number of runs needed for a stable ranking."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from .agreement import PairCorrelations, correlate_pairs, mean_agreement
from .measures import cumulative_accuracy


@dataclass(frozen=True)
class EnsembleSizes:
    """Rank correlations between ensembles by ensemble size; arrays have shape (R,).

    Limits are those of 95 % intervals over samples for these runs; nan without resamples.

    Attributes:
        size: Number of runs in the smaller ensemble, 1 to R.
        n_subsets: Number of ensembles of that size that were averaged.
        with_all: Mean of Spearman's rho with the ensemble of all R runs, which contains the
            smaller one.
        with_all_low: Lower limit of its interval.
        with_all_high: Upper limit of its interval.
        lowest: Smallest of the averaged correlations.
        highest: Largest of the averaged correlations.
        with_all_kendall: Mean of Kendall's tau-b with the ensemble of all runs.
        with_all_kendall_low: Lower limit of its interval.
        with_all_kendall_high: Upper limit of its interval.
        disjoint: Mean of Spearman's rho of two ensembles of that size without a common run; nan if
            there are fewer than 2 * size runs.
        disjoint_low: Lower limit of its interval.
        disjoint_high: Upper limit of its interval.
        disjoint_kendall: Mean of Kendall's tau-b of these ensembles.
        disjoint_kendall_low: Lower limit of its interval.
        disjoint_kendall_high: Upper limit of its interval.
    """

    size: np.ndarray
    n_subsets: np.ndarray
    with_all: np.ndarray
    with_all_low: np.ndarray
    with_all_high: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    with_all_kendall: np.ndarray
    with_all_kendall_low: np.ndarray
    with_all_kendall_high: np.ndarray
    disjoint: np.ndarray
    disjoint_low: np.ndarray
    disjoint_high: np.ndarray
    disjoint_kendall: np.ndarray
    disjoint_kendall_low: np.ndarray
    disjoint_kendall_high: np.ndarray

    def reaching(self, agreement: float = 0.95) -> int | None:
        """Smallest ensemble size with the required mean correlation with the ensemble of all runs.

        Args:
            agreement: Required mean of Spearman's rho.

        Returns:
            Number of runs; None if no size reaches `agreement`.
        """
        reached = np.flatnonzero(self.with_all >= agreement)
        return int(self.size[reached[0]]) if len(reached) else None


def ensemble_sizes(
    hits: np.ndarray,
    n_checkpoints: Sequence[int],
    *,
    average: str = "micro",
    n_subsets: int = 50,
    n_resamples: int = 0,
    seed: int = 0,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> EnsembleSizes:
    """Agreement of smaller ensembles with the ensemble of all runs, and with each other.

    A smaller ensemble is part of the ensemble of all runs, so their agreement is high by
    construction and 1 at full size. Ensembles without a common run do not have this bias.

    Args:
        hits: Number of correct checkpoints per run and sample, shape (R, N).
        n_checkpoints: Number of checkpoints of every run, length R.
        average: "micro" or "macro", as in `pool_runs`.
        n_subsets: Maximum number of random ensembles per size. All ensembles of a size are used
            if there are fewer.
        n_resamples: Number of bootstrap resamples of the samples for the intervals; 0 for none.
        seed: Seed of the random ensembles and resamples.
        progress: Function that wraps the iterable of resamples, such as a progress bar.

    Returns:
        Correlations by size; nan if all samples are equally difficult.

    Example:
        >>> hits = np.array([[0, 1, 3, 4], [0, 2, 3, 4], [0, 1, 2, 4]])
        >>> sizes = ensemble_sizes(hits, [4, 4, 4])
        >>> sizes.size.tolist(), sizes.with_all.tolist()
        ([1, 2, 3], [1.0, 1.0, 1.0])
    """
    n_runs = len(hits)
    generator = np.random.default_rng(seed)
    numbers: dict[tuple[int, ...], int] = {}  # of the ensembles, in the order of their scores

    def number(runs: tuple[int, ...]) -> int:
        return numbers.setdefault(runs, len(numbers))

    whole = number(tuple(range(n_runs)))
    pairs: list[tuple[int, int]] = []
    with_all: list[range] = []  # pairs of every size
    disjoint: list[range] = []
    for size in range(1, n_runs + 1):
        subsets = _subsets(n_runs, size, n_subsets, generator)
        pairs += [(number(runs), whole) for runs in subsets]
        with_all.append(range(len(pairs) - len(subsets), len(pairs)))
        if 2 * size <= n_runs:
            pairs += [(number(s), number(_without(s, n_runs, generator))) for s in subsets]
        disjoint.append(range(with_all[-1].stop, len(pairs)))
    scores = [
        cumulative_accuracy(hits[list(runs)], [n_checkpoints[run] for run in runs], average=average)
        for runs in numbers
    ]
    found = correlate_pairs(
        np.stack(scores), pairs, n_resamples=n_resamples, seed=seed, progress=progress
    )
    columns: list[dict[str, float]] = []
    for size, members, others in zip(range(1, n_runs + 1), with_all, disjoint, strict=True):
        rho = found.observed[list(members), 0]
        columns.append(
            {"size": size, "n_subsets": len(members), "lowest": rho.min(), "highest": rho.max()}
            | _means("with_all", found, members)
            | _means("disjoint", found, others)
        )
    return EnsembleSizes(
        **{
            field.name: np.array([c[field.name] for c in columns])
            for field in fields(EnsembleSizes)
        }
    )


def _means(name: str, found: PairCorrelations, members: range) -> dict[str, float]:
    """Mean correlations of the pairs of a size and their limits; nan without pairs."""
    mean = mean_agreement(found, members) if members else None
    return {
        f"{name}{middle}{end}": math.nan if mean is None else getattr(mean, f"{measure}{end}")
        for measure, middle in (("spearman", ""), ("kendall", "_kendall"))
        for end in ("", "_low", "_high")
    }


def _subsets(
    n_runs: int, size: int, n_subsets: int, generator: np.random.Generator
) -> list[tuple[int, ...]]:
    """All sets of `size` runs, or `n_subsets` random ones if there are more."""
    if math.comb(n_runs, size) <= n_subsets:
        return list(itertools.combinations(range(n_runs), size))
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < n_subsets:
        drawn.add(tuple(sorted(generator.choice(n_runs, size, replace=False).tolist())))
    return sorted(drawn)


def _without(runs: tuple[int, ...], n_runs: int, generator: np.random.Generator) -> tuple[int, ...]:
    """Random set of the same size without a run of `runs`."""
    others = [run for run in range(n_runs) if run not in runs]
    return tuple(sorted(generator.choice(others, len(runs), replace=False).tolist()))
