"""Data sets that come with a split of their authors."""

import shutil
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import pandas as pd

from autrainer_ext.atomic import atomic_folder

from .cached import CachedClassificationDataset
from .folders import is_built, link

SPLITS = ("train", "dev", "test")


class OfficialSplitDataset(CachedClassificationDataset):
    """Classification data in archives, of which one table knows everything.

    A subclass says where its archives are (`fetch`) and what is in them (`tabulate`).

    Args:
        source: Unpacked folder of the release for `download`; not used afterwards.
        **kwargs: Those of `CachedClassificationDataset`.
    """

    TABLE: ClassVar[str]  # in the dataset folder, with the columns filename and split
    RECORDINGS: ClassVar[str] = "."  # folder in that of the release that `filename` is relative to
    SIZES: ClassVar[dict[str, int] | None] = None  # published numbers of recordings

    def __init__(self, source: str | None = None, **kwargs) -> None:
        self.source = source
        super().__init__(**kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Cut the table into the official splits."""
        table = self.read_table(self.TABLE, ["split"])
        return tuple(table[table["split"] == split] for split in SPLITS)

    @classmethod
    def download(cls, path: str, source: str | None = None) -> None:
        """Make the dataset folder, unless it is there already.

        An interrupted download is continued the next time. Archives are kept beside the dataset
        folder, in one with `.download` added to its name, until the dataset folder is complete.

        Args:
            path: Dataset folder: recordings in `default/` and one table.
            source: Unpacked folder of the release, to be linked rather than downloaded.

        Raises:
            FileExistsError: If the folder exists but is incomplete.
            FileNotFoundError: If a list or a listed recording is missing.
            OSError: If an archive cannot be downloaded or is damaged.
            ValueError: If there are more or fewer recordings than were published.
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
                    f"'{tree}' has {found} recordings in its {split} split, not {size}."
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
            archives: Folder for the archives, and for what is in them.

        Returns:
            Unpacked folder.
        """

    @staticmethod
    @abstractmethod
    def tabulate(tree: Path) -> pd.DataFrame:
        """Read what is known about the recordings.

        Args:
            tree: Unpacked folder.

        Returns:
            One row for each recording of the official splits: its `filename`, its label, its
            `split`, one of `SPLITS`, and everything else that is known.
        """
