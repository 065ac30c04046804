"""Base class of datasets with an official split."""

import shutil
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from autrainer_ext.atomic import atomic_folder

from .cached import CachedClassificationDataset
from .folders import is_built, link

SPLITS = ("train", "dev", "test")


class OfficialSplitDataset(CachedClassificationDataset):
    """Classification dataset with an official split, described by one table.

    A subclass downloads its archives (`fetch`) and lists their recordings (`tabulate`).

    Args:
        source: Unpacked folder of the release for `download`; not used afterwards.
        **kwargs: Arguments of `CachedClassificationDataset`.
    """

    TABLE: ClassVar[str]  # file name; columns include filename and split
    RECORDINGS: ClassVar[str] = "."  # folder of the release that `filename` is relative to
    SIZES: ClassVar[dict[str, int] | None] = None  # published numbers of recordings

    def __init__(self, source: str | None = None, **kwargs: Any) -> None:  # noqa: ANN401  passed on
        self.source = source
        super().__init__(**kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Split the table by its column `split`."""
        table = self.read_table(self.TABLE, ["split"])
        train, dev, test = (table[table["split"] == split] for split in SPLITS)
        return train, dev, test

    @classmethod
    def download(cls, path: str, source: str | None = None) -> None:
        """Create the dataset folder unless it exists.

        An interrupted download is resumed by the next call. Archives are kept in a folder beside
        the dataset folder, with `.download` added to its name, until the dataset is complete.

        Args:
            path: Dataset folder: recordings in `default/` and one table.
            source: Unpacked folder of the release, to link instead of downloading.

        Raises:
            FileExistsError: If the folder exists but is incomplete.
            FileNotFoundError: If a list or a listed recording is missing.
            OSError: If an archive cannot be downloaded or is damaged.
            ValueError: If the number of recordings differs from the published one.
        """
        root = Path(path)
        if is_built(root, [cls.TABLE]):
            return
        archives = root.with_name(f"{root.name}.download")
        tree = Path(source) if source else cls.fetch(archives)
        table = cls.tabulate(tree)
        for split, size in (cls.SIZES or {}).items():
            found = int((table["split"] == split).sum())
            if found != size:
                raise ValueError(
                    f"'{tree}' has {found} recordings in its {split} split, expected {size}."
                )
        with atomic_folder(root) as folder:
            for parent in {Path(name).parent for name in table["filename"]}:
                (folder / "default" / parent).mkdir(parents=True, exist_ok=True)
            link(table["filename"], tree / cls.RECORDINGS, folder / "default")
            table.to_csv(folder / cls.TABLE, index=False)
        if not source:
            shutil.rmtree(archives)

    @staticmethod
    @abstractmethod
    def fetch(archives: Path) -> Path:
        """Download and unpack the release.

        Args:
            archives: Folder for the archives and the unpacked files.

        Returns:
            Unpacked folder.
        """

    @staticmethod
    @abstractmethod
    def tabulate(tree: Path) -> pd.DataFrame:
        """List the recordings with their metadata.

        Args:
            tree: Unpacked folder.

        Returns:
            One row per recording of the official splits: `filename`, label, `split` (one of
            `SPLITS`) and all other metadata.
        """
