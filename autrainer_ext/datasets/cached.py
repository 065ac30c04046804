"""Classification dataset with cached features and early checks of its tables and files."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import psutil  # type: ignore[import-untyped]  # has no type information
import torch
from autrainer.datasets import BaseClassificationDataset
from autrainer.datasets.utils import DatasetWrapper
from autrainer.transforms import SmartCompose

from autrainer_ext.compat import make_sample

from .folders import read_csv

_LOG = logging.getLogger(__name__)
_GIB = 2**30


class CachedFeatures(DatasetWrapper):
    """Samples of the host (features, encoded target, index), with features cached in memory.

    Features are cached as loaded by the file handler, before any transform. Items get copies,
    because some transforms of the host work in place. When the cache is full, the remaining
    features are read from disk every time. Shallow copies, which may have another transform,
    share the cache; deep copies and pickles start with an empty cache.

    Args:
        memory: Maximum size of the cache in bytes, not negative. 0 disables it.
        **kwargs: Arguments of the host's `DatasetWrapper`.
    """

    def __init__(self, memory: int, **kwargs: Any) -> None:  # noqa: ANN401  passed on
        super().__init__(**kwargs)
        self.memory = memory
        self.paths = self.df[self.index_column].tolist()
        self._targets = [self.target_transform(y) for y in self.df[self.target_column].tolist()]
        self._memory = _Memory(len(self.paths), memory)

    def __getitem__(self, item: int) -> Any:  # noqa: ANN401  what the host takes
        """Load one item and apply the transform.

        Args:
            item: Index of the item in the split.

        Returns:
            Features, encoded target and `item`, as the loaders of the host take them.
        """
        features = self._features(item)
        return make_sample(features, self._targets[item], item, self.transform)

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
    """Cache of features by item, up to a number of bytes."""

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
                "The feature cache of %.2f GiB is full after %d of %d recordings: "
                "the others are read from disk every time.",
                size / _GIB,
                n_kept,
                len(self.kept),
            )


class CachedClassificationDataset(BaseClassificationDataset):
    """Classification dataset that caches features and checks its tables and files early.

    All checks run in the constructor, before training starts. The rows of `df_train`, `df_dev`
    and `df_test` are numbered from 0.

    Args:
        path: Dataset folder.
        features_subdir: Sub-folder of the features, or None for the audio.
        cache: Size of the feature cache: True for half of the memory that is free when the
            dataset is created, a number for a size in GiB, False for no cache. The splits share
            it in proportion to their sizes.
        **kwargs: Arguments of the host's `BaseClassificationDataset`.

    Raises:
        FileNotFoundError: If the folder, the features, a table or a listed file is missing.
        ValueError: If a table lacks a column, a split is empty, a label is missing, or a class
            of the dev or test split does not occur in training.
    """

    def __init__(
        self,
        path: str,
        features_subdir: str | None,
        cache: bool | float = True,
        **kwargs: Any,  # noqa: ANN401  passed on
    ) -> None:
        if cache < 0:
            raise ValueError(
                f"Argument 'cache' must be true, false or a size in GiB of at least 0, got {cache}."
            )
        self.cache = cache
        if features_subdir is None:  # the host preprocesses: every recording is read once
            cache = False
        _check_folders(Path(kwargs.get("features_path") or path), features_subdir or "default")
        super().__init__(path=path, features_subdir=features_subdir, **kwargs)
        self.df_train = self.df_train.reset_index(drop=True)
        self.df_dev = self.df_dev.reset_index(drop=True)
        self.df_test = self.df_test.reset_index(drop=True)
        self._check_labels()
        limit = psutil.virtual_memory().available // 2 if cache is True else cache * _GIB
        self._memory_per_item = limit / sum(map(len, self._splits.values()))
        for name, df in self._splits.items():
            # not `train_dataset`, which keeps its transform: the host sets another to preprocess
            _check_files(self._init_dataset(df, SmartCompose([])).paths, name)

    @property
    def _splits(self) -> dict[str, pd.DataFrame]:
        return {"train": self.df_train, "dev": self.df_dev, "test": self.df_test}

    # autrainer 0.4 assigns the result of `load_dataframes`; 0.10 never calls it and reads these

    @cached_property
    def df_train(self) -> pd.DataFrame:
        """Table of the training split."""
        return self._tables[0]

    @cached_property
    def df_dev(self) -> pd.DataFrame:
        """Table of the dev split."""
        return self._tables[1]

    @cached_property
    def df_test(self) -> pd.DataFrame:
        """Table of the test split."""
        return self._tables[2]

    @cached_property
    def _tables(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        return self.load_dataframes()

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Read `train.csv`, `dev.csv` and `test.csv`."""
        return (
            self.read_table("train.csv"),
            self.read_table("dev.csv"),
            self.read_table("test.csv"),
        )

    def read_table(self, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Read a table of the dataset folder, with class names as strings.

        Args:
            name: File name.
            columns: Required columns besides those of the files, labels and strata.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If a column is missing.
        """
        path = Path(self.path, name)
        if not path.is_file():
            raise FileNotFoundError(f"Table '{path}' is missing.")
        required = (self.index_column, self.target_column, *self.stratify, *columns)
        return read_csv(path, required, dtype={self.target_column: str})

    def _init_dataset(self, df: pd.DataFrame, transform: SmartCompose) -> CachedFeatures:
        return CachedFeatures(
            memory=int(self._memory_per_item * len(df)),
            path=getattr(self, "features_path", self.path),
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
        raise FileNotFoundError(
            f"Dataset folder '{path}' does not exist in '{Path.cwd()}': start in the folder that "
            "contains it, or run `autrainer fetch`."
        )
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
