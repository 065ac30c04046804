"""Agreement of ensembles by their size: the number of runs needed for a stable ranking."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .agreement import cells, levels, rank_correlations
from .measures import cumulative_accuracy


@dataclass(frozen=True)
class EnsembleSizes:
    """Spearman correlations between ensembles by ensemble size; arrays have shape (R,).

    Attributes:
        size: Number of runs in the smaller ensemble, 1 to R.
        n_subsets: Number of ensembles of that size that were averaged.
        with_all: Mean correlation with the ensemble of all R runs, which contains the smaller one.
        lowest: Smallest of these correlations.
        highest: Largest of these correlations.
        disjoint: Mean correlation of two ensembles of that size without a common run; nan if
            there are fewer than 2 * size runs.
    """

    size: np.ndarray
    n_subsets: np.ndarray
    with_all: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    disjoint: np.ndarray

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
    seed: int = 0,
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
        seed: Seed of the random ensembles.

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

    def order(runs: tuple[int, ...]) -> np.ndarray:
        lengths = [n_checkpoints[run] for run in runs]
        return levels(cumulative_accuracy(hits[list(runs)], lengths, average=average))

    whole = order(tuple(range(n_runs)))
    columns: list[tuple[float, ...]] = []
    for size in range(1, n_runs + 1):
        subsets = _subsets(n_runs, size, n_subsets, generator)
        of_subset = {runs: order(runs) for runs in subsets}
        with_all = [_spearman(of_subset[runs], whole) for runs in subsets]
        disjoint = [
            _spearman(of_subset[runs], order(_without(runs, n_runs, generator)))
            for runs in subsets
            if 2 * size <= n_runs
        ]
        columns.append(
            (
                size,
                len(subsets),
                float(np.mean(with_all)),
                min(with_all),
                max(with_all),
                float(np.mean(disjoint)) if disjoint else math.nan,
            )
        )
    return EnsembleSizes(*(np.array(column) for column in zip(*columns, strict=True)))


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


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    cell, shape = cells(first, second)
    return rank_correlations(np.bincount(cell, minlength=math.prod(shape)).reshape(shape))[0]
