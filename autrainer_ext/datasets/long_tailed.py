"""Datasets with imbalanced classes in training and several test distributions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .fsdd import FSDD
from .tau_urban_2022 import TAUUrbanAcousticScenes2022Mobile

_OPPOSITE = "opposite"


class LongTailedFSDD(FSDD):
    """Free Spoken Digit Dataset with frequent and rare digits in the training split.

    - Training: the number of recordings per digit falls linearly, to `1 / imbalance_ratio` of
      the most frequent digit. Speakers have equal shares, up to one recording. The order of the
      digits is random, so that rare digits are not systematically hard ones.
    - Dev: as in `FSDD`, balanced.
    - Test: all recordings of the test speakers, balanced. The recordings with `yes` in the
      column `opposite` have the opposite frequencies: the rarest digit of training is the most
      frequent one. With `opposite` in `stratify`, one run gives results on both distributions.

    Args:
        test_speakers: See `FSDD`. Several speakers give larger test distributions.
        imbalance_ratio: Ratio of the most to the least frequent digit, at least 1.
        most: Training recordings of the most frequent digit. Default: all available. A smaller
            number with an `imbalance_ratio` of 1 gives a balanced training split of the same
            size as an imbalanced one, as a control.
        split_seed: Seed of the order of the digits and of the random draws.
        stratify: Columns to stratify results by, which may include `opposite`.
        **kwargs: Arguments of `FSDD`.

    Raises:
        ValueError: If `imbalance_ratio` is less than 1, or a digit has fewer than `most`
            recordings; see also `FSDD`.
    """

    def __init__(
        self,
        test_speakers: list[str],
        imbalance_ratio: float = 16.0,
        most: int | None = None,
        split_seed: int = 0,
        stratify: Sequence[str] | None = None,
        **kwargs: Any,  # noqa: ANN401  passed on
    ) -> None:
        if not imbalance_ratio >= 1:
            raise ValueError(
                f"Argument 'imbalance_ratio' must be at least 1, got {imbalance_ratio}."
            )
        self.imbalance_ratio = imbalance_ratio
        self.most = most
        self.split_seed = split_seed
        super().__init__(test_speakers, stratify=_read_columns(stratify, [_OPPOSITE]), **kwargs)
        self.stratify = list(stratify or [])

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Split `fsdd.csv`, then draw from the training and the test recordings."""
        train, dev, test = super().load_dataframes()
        digits = np.random.default_rng(self.split_seed).permutation(
            sorted(train[self.target_column].unique())
        )
        train = self._draw(train, digits, self.most)
        is_opposite = test.index.isin(self._draw(test, digits[::-1], None).index)
        return (
            train,
            dev.assign(**{_OPPOSITE: "no"}),
            test.assign(**{_OPPOSITE: np.where(is_opposite, "yes", "no")}),
        )

    def _draw(self, table: pd.DataFrame, digits: np.ndarray, most: int | None) -> pd.DataFrame:
        """Draw rows so that the frequencies of the digits fall in the given order."""
        available = int(table[self.target_column].value_counts().min())
        if most is None:
            most = available
        if not 1 <= most <= available:
            raise ValueError(f"Argument 'most' must be in 1 to {available}, got {most}.")
        counts = falling_counts(most, self.imbalance_ratio, len(digits))
        return draw(
            table, self.target_column, dict(zip(digits, counts, strict=True)), self.split_seed
        )


class PartitionedTAU22(TAUUrbanAcousticScenes2022Mobile):
    """TAU Urban Acoustic Scenes 2022 Mobile with several test lists.

    The test split is the union of the lists, without duplicates. It has one column per list with
    the values `yes` and `no`. With these columns in `stratify`, one run gives results per list.

    Args:
        test_sets: Column name of every list and its file, in the format of `train_clips`.
        stratify: Columns to stratify results by, which may include those of the lists.
        **kwargs: Arguments of `TAUUrbanAcousticScenes2022Mobile` except `test_clips`.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If `test_sets` is empty; see also `TAUUrbanAcousticScenes2022Mobile`.
    """

    def __init__(
        self,
        test_sets: Mapping[str, str],
        stratify: Sequence[str] | None = None,
        **kwargs: Any,  # noqa: ANN401  passed on
    ) -> None:
        if not test_sets:
            raise ValueError("Argument 'test_sets' must name at least one list of clips.")
        self.test_sets = dict(test_sets)
        super().__init__(stratify=_read_columns(stratify, self.test_sets), **kwargs)
        self.stratify = list(stratify or [])

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Split `tau22.csv` and combine all lists of test clips."""
        parts = {}
        for name, file in self.test_sets.items():
            self.test_clips = file
            train, dev, parts[name] = super().load_dataframes()
        test = pd.concat(parts.values(), ignore_index=True).drop_duplicates("filename")
        members = {
            name: np.where(test["filename"].isin(part["filename"]), "yes", "no")
            for name, part in parts.items()
        }
        return train, dev.assign(**dict.fromkeys(parts, "no")), test.assign(**members)


def _read_columns(stratify: Sequence[str] | None, made: Iterable[str]) -> list[str]:
    """Columns that must exist in the tables of the dataset folder: all but those added here."""
    return [column for column in stratify or [] if column not in made]


def falling_counts(most: int, imbalance_ratio: float, n_classes: int) -> np.ndarray:
    """Compute counts that fall linearly from `most` to `most / imbalance_ratio`.

    Args:
        most: First count, at least 1.
        imbalance_ratio: Ratio of the first to the last count, at least 1.
        n_classes: Number of counts.

    Returns:
        Rounded counts, at least 1, shape (n_classes,).
    """
    counts = np.rint(np.linspace(most, most / imbalance_ratio, n_classes)).astype(int)
    return np.maximum(counts, 1)


def draw(table: pd.DataFrame, label: str, counts: dict[str, int], seed: int) -> pd.DataFrame:
    """Draw recordings of every class, taking turns between the speakers.

    Args:
        table: Table with the columns `label` and speaker, and a unique index.
        label: Column of the class names.
        counts: Number of recordings per class. A class with fewer recordings is kept completely.
        seed: Seed of the random draw. With the same seed, smaller draws are subsets of larger
            ones.

    Returns:
        The drawn rows, in the order of the table.
    """
    shuffled = table.sample(frac=1, random_state=seed)
    turn = shuffled.groupby([label, "speaker"]).cumcount()
    in_turn = shuffled.loc[turn.sort_values(kind="stable").index]
    place = in_turn.groupby(label).cumcount().reindex(table.index)
    return table[place < table[label].map(counts)]
