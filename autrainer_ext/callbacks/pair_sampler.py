"""Sampling order in which neighbours share a class and differ in modality."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Sampler


class PairSampler(Sampler[int]):
    """Random order of all samples, each once, with the samples of a pair next to each other.

    Without groups, every sample of a class is paired with a random sample of another modality.
    If one modality has more than half of the samples of a class, some samples remain without a
    partner. With groups, the parallel recordings of a class (same group) are adjacent.
    Consecutive batches split at most one pair or group at each batch border.

    Args:
        classes: Class of every sample, shape (N,).
        modalities: Modality of every sample, shape (N,). Missing values (None or nan) count as
            one modality.
        groups: Group of every sample, shape (N,). A sample with a missing value forms its own
            group. Default: random pairs.
        generator: Random generator; every pass over the sampler draws a new order.

    Raises:
        ValueError: If the lengths differ.
    """

    def __init__(
        self,
        classes: Iterable[Any],
        modalities: Iterable[Any],
        groups: Iterable[Any] | None = None,
        *,
        generator: torch.Generator,
    ) -> None:
        self._classes, self._modalities = _codes(classes), _codes(modalities)
        self._groups = None if groups is None else _codes(groups)
        columns = [self._classes, self._modalities]
        if self._groups is not None:
            columns.append(self._groups)
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(str(len(column)) for column in columns)
            raise ValueError(
                f"Lengths differ: {lengths}. Classes, modalities and groups must match."
            )
        self._generator = generator

    def __len__(self) -> int:
        return len(self._classes)

    def __iter__(self) -> Iterator[int]:
        seed = int(torch.randint(2**31, (1,), generator=self._generator))
        rng = np.random.default_rng(seed)
        units = self._random_pairs(rng) if self._groups is None else self._parallel(self._groups)
        rank_of_unit = rng.permutation(units.max(initial=-1) + 1)
        order = np.lexsort((rng.random(len(units)), rank_of_unit[units]))
        return iter(order.tolist())

    def _parallel(self, groups: np.ndarray) -> np.ndarray:
        """Unit of every sample: its class within its group."""
        alone = groups < 0
        units = np.stack([self._classes, groups, np.where(alone, np.arange(len(self)), -1)])
        return np.unique(units, axis=1, return_inverse=True)[1].reshape(-1)

    def _random_pairs(self, rng: np.random.Generator) -> np.ndarray:
        """Unit of every sample: a random pair within its class.

        In a class sorted by modality, samples half a class apart differ in modality, unless one
        modality has more than half of the samples; then some of its samples form pairs.
        """
        order = np.lexsort((rng.random(len(self)), self._modalities, self._classes))
        units = np.empty(len(self), dtype=np.int64)
        first = 0
        for size in np.bincount(self._classes):
            half = (size + 1) // 2
            units[order[first : first + size]] = first + np.arange(size) % half
            first += size
        return np.unique(units, return_inverse=True)[1]


def _codes(values: Iterable[Any]) -> np.ndarray:
    """Index of the value of every sample, -1 for missing values, shape (N,)."""
    return pd.factorize(pd.Series(list(values)))[0]
