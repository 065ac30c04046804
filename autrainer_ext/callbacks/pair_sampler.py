"""Orders of samples in which neighbours are of one class and different modalities."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Sampler


class PairSampler(Sampler[int]):
    """Every sample once, in random order, but partners next to each other.

    Without groups, samples of a class are paired with random ones of another modality as far as
    there are any: a modality with more than half of the samples of a class leaves samples
    without a partner. With groups, parallel recordings of a class stay together. Batches cut
    out of the order part at most one unit each.

    Args:
        classes: Class of every sample, shape (N,).
        modalities: Modality of every sample, shape (N,). Unknown ones (None or nan) count as
            one modality.
        groups: Group of every sample, shape (N,), or None. A sample of unknown group is alone.
        generator: Of the orders; every pass over the sampler draws a new one.

    Raises:
        ValueError: If the lengths differ.
    """

    def __init__(
        self,
        classes: Sequence,
        modalities: Sequence,
        groups: Sequence | None = None,
        *,
        generator: torch.Generator,
    ) -> None:
        columns = [classes, modalities, *([] if groups is None else [groups])]
        if len({len(column) for column in columns}) > 1:
            raise ValueError(f"Lengths differ: {', '.join(str(len(c)) for c in columns)}.")
        self._classes, self._modalities, *rest = (
            pd.factorize(pd.Series(list(c)))[0] for c in columns
        )
        self._groups = rest[0] if rest else None
        self._generator = generator

    def __len__(self) -> int:
        return len(self._classes)

    def __iter__(self) -> Iterator[int]:
        seed = torch.randint(2**31, (1,), generator=self._generator).item()
        rng = np.random.default_rng(seed)
        units = self._random_pairs(rng) if self._groups is None else self._parallel()
        rank_of_unit = rng.permutation(units.max(initial=-1) + 1)
        order = np.lexsort((rng.random(len(units)), rank_of_unit[units]))
        return iter(order.tolist())

    def _parallel(self) -> np.ndarray:
        """Unit of every sample: its class within its group."""
        alone = self._groups < 0
        units = np.stack([self._classes, self._groups, np.where(alone, np.arange(len(self)), -1)])
        return np.unique(units, axis=1, return_inverse=True)[1].reshape(-1)

    def _random_pairs(self, rng: np.random.Generator) -> np.ndarray:
        """Unit of every sample, drawn anew.

        In a class sorted by modality, samples half of the class apart differ in modality unless
        one modality holds more than half: it then is the one that is paired with itself.
        """
        order = np.lexsort((rng.random(len(self)), self._modalities, self._classes))
        units = np.empty(len(self), dtype=np.int64)
        first = 0
        for size in np.bincount(self._classes):
            half = (size + 1) // 2
            units[order[first : first + size]] = first + np.arange(size) % half
            first += size
        return np.unique(units, return_inverse=True)[1]
