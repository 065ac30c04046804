"""Classification data whose features stay in memory and whose mistakes show up at once."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import psutil
import torch
from autrainer.datasets import BaseClassificationDataset
from autrainer.datasets.utils import DatasetWrapper
from autrainer.transforms import SmartCompose

from autrainer_ext.errors import unknown_name

_LOG = logging.getLogger(__name__)
_GIB = 2**30


class CachedFeatures(DatasetWrapper):
    """The host's items, (features, encoded target, index), read from disk only once.

    Features are kept as their file handler loads them, before any transform, and handed out
    as copies: some transforms of the host work in place. Memory is filled up to a limit; what
    does not fit is read from disk each time. Shallow copies, which may have another transform,
    share the memory; deep copies and pickles start with an empty one.

    Args:
        memory: Bytes the features may take, not negative. 0 keeps nothing.
        **kwargs: Those of the host's `DatasetWrapper`.
    """

    def __init__(self, memory: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.memory = memory
        self.paths = self.df[self.index_column].tolist()
        self._targets = [self.target_transform(y) for y in self.df[self.target_column].tolist()]
        self._memory = _Memory(len(self.paths), memory)

    def __getitem__(self, item: int) -> tuple[torch.Tensor, int, int]:
        """One item.

        Args:
            item: Position in the split.

        Returns:
            Features, encoded target and `item`.
        """
        features = self._features(item)
        if self.transform is not None:
            features = self.transform(features, index=item).float()
        return features, self._targets[item], item

    def _features(self, item: int) -> torch.Tensor:
        kept = self._memory.kept[item]
        if kept is not None:
            return kept.clone()
        features = self.file_handler.load(self.paths[item])
        self._memory.keep(item, features)
        return features

    def __copy__(self) -> "CachedFeatures":
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __getstate__(self) -> dict:
        return {k: v for k, v in self.__dict__.items() if k != "_memory"}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._memory = _Memory(len(self.paths), self.memory)


class _Memory:
    """Features by their position, up to a number of bytes."""

    def __init__(self, n_items: int, free: int) -> None:
        self.kept: list[torch.Tensor | None] = [None] * n_items
        self._free = free
        self._warns = free > 0

    def keep(self, item: int, features: torch.Tensor) -> None:
        if features.nbytes <= self._free:
            self.kept[item] = features.clone()
            self._free -= features.nbytes
        elif self._warns:
            self._warns = False
            n_kept = sum(kept is not None for kept in self.kept)
            size = sum(kept.nbytes for kept in self.kept if kept is not None) + self._free
            _LOG.warning(
                "The %.2f GiB set aside for features are full after %d of %d recordings: "
                "the others are read from disk every time.",
                size / _GIB,
                n_kept,
                len(self.kept),
            )


class CachedClassificationDataset(BaseClassificationDataset):
    """Classification dataset that keeps features in memory and checks its tables and files.

    Everything is checked when the dataset is made, that is, before training starts. Rows of
    `df_train`, `df_dev` and `df_test` are numbered from 0, whatever split they were cut from.

    Args:
        path: Dataset folder.
        features_subdir: Folder of the features in it.
        cache: Whether features stay in memory once they were read: True for up to half of
            the memory that is free when the dataset is made, a number for at most so many
            GiB, False to read from disk every time. Splits share it by their sizes.
        **kwargs: Those of the host's `BaseClassificationDataset`.

    Raises:
        FileNotFoundError: If the folder, the features, a table or a listed file is missing.
        ValueError: If a table lacks a column, a split is empty, a label is missing or a class
            of the development or test split does not occur in training.
    """

    def __init__(
        self, path: str, features_subdir: str, cache: bool | float = True, **kwargs
    ) -> None:
        if cache < 0:
            raise ValueError(f"cache must be true, false or a number of GiB, got {cache}.")
        self.cache = cache
        _check_folders(Path(path), features_subdir)
        super().__init__(path=path, features_subdir=features_subdir, **kwargs)
        self.df_train = self.df_train.reset_index(drop=True)
        self.df_dev = self.df_dev.reset_index(drop=True)
        self.df_test = self.df_test.reset_index(drop=True)
        self._check_labels()
        limit = psutil.virtual_memory().available // 2 if cache is True else cache * _GIB
        self._memory_per_item = limit / sum(map(len, self._splits.values()))
        for name, items in zip(
            self._splits, (self.train_dataset, self.dev_dataset, self.test_dataset), strict=True
        ):
            _check_files(items.paths, name)

    @property
    def _splits(self) -> dict[str, pd.DataFrame]:
        return {"train": self.df_train, "dev": self.df_dev, "test": self.df_test}

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Read `train.csv`, `dev.csv` and `test.csv`."""
        return tuple(self.read_table(f"{split}.csv") for split in ("train", "dev", "test"))

    def read_table(self, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Read a table of the dataset folder, with its labels as strings.

        Args:
            name: File name.
            columns: Columns needed besides those of files, labels and strata.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If a column is missing.
        """
        path = Path(self.path, name)
        if not path.is_file():
            raise FileNotFoundError(f"Table '{path}' is missing.")
        table = pd.read_csv(path, dtype={self.target_column: str})
        for column in (self.index_column, self.target_column, *self.stratify, *columns):
            if column not in table:
                raise unknown_name(f"column of '{path}'", column, table.columns)
        return table

    def _init_dataset(self, df: pd.DataFrame, transform: SmartCompose) -> CachedFeatures:
        return CachedFeatures(
            memory=int(self._memory_per_item * len(df)),
            path=self.path,
            features_subdir=self.features_subdir,
            index_column=self.index_column,
            target_column=self.target_column,
            file_type=self.file_type,
            file_handler=self.file_handler,
            df=df,
            transform=transform,
            target_transform=self.target_transform,
        )

    def _check_labels(self) -> None:
        known = set(self.df_train[self.target_column])
        for name, df in self._splits.items():
            if df.empty:
                raise ValueError(f"The {name} split of '{self.path}' is empty.")
            unlabelled = df.loc[df[self.target_column].isna(), self.index_column]
            if len(unlabelled):
                raise ValueError(f"'{unlabelled.iloc[0]}' in the {name} split has no label.")
            unknown = sorted(set(df[self.target_column]) - known)
            if unknown:
                raise ValueError(
                    f"Class '{unknown[0]}' of the {name} split does not occur in training."
                )


def _check_folders(path: Path, features_subdir: str) -> None:
    if not path.is_dir():
        raise FileNotFoundError(f"Dataset folder '{path}' does not exist: run `autrainer fetch`.")
    if not (path / features_subdir).is_dir():
        raise FileNotFoundError(
            f"Features '{path / features_subdir}' do not exist: run `autrainer preprocess`."
        )


def _check_files(paths: Sequence[str], split: str) -> None:
    missing = [path for path in paths if not Path(path).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(paths)} files of the {split} split are missing, "
            f"the first one is '{missing[0]}'."
        )
