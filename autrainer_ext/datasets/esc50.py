"""ESC-50: environmental sounds."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from autrainer_ext.atomic import atomic_folder

from .cached import CachedClassificationDataset
from .folders import is_built, link, read_csv

_FOLDS = (1, 2, 3, 4, 5)


class ESC50(CachedClassificationDataset):
    """ESC-50: 2,000 clips of 5 s, 50 categories with 40 clips each, in five official folds.

    Args:
        test_fold: Fold of the test split, 1 to 5.
        dev_fold: Fold of the dev split. Default: the fold before `test_fold` (5 before 1). The
            other three folds form the training split.
        source: Unpacked folder of the dataset for `download`; not used afterwards.
        **kwargs: Arguments of `CachedClassificationDataset`.

    Raises:
        ValueError: If a fold does not exist or is used for both dev and test.

    Source:
        Piczak (2015), ESC: Dataset for environmental sound classification. ACM Multimedia.
        DOI 10.1145/2733373.2806390. CC BY-NC 3.0.
    """

    def __init__(
        self,
        test_fold: int = 5,
        dev_fold: int | None = None,
        source: str | None = None,
        **kwargs: Any,  # noqa: ANN401  passed on
    ) -> None:
        for fold in (test_fold, dev_fold):
            if fold not in (*_FOLDS, None):
                raise ValueError(f"ESC-50 has folds 1 to 5, got {fold}.")
        self.test_fold = test_fold
        self.dev_fold = dev_fold or (test_fold - 2) % 5 + 1
        if self.dev_fold == self.test_fold:
            raise ValueError(f"Fold {test_fold} cannot be both for dev and test.")
        self.source = source
        super().__init__(**kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Split `esc50.csv` by folds."""
        table = self.read_table("esc50.csv", ["fold"])
        is_dev, is_test = table["fold"] == self.dev_fold, table["fold"] == self.test_fold
        return table[~is_dev & ~is_test], table[is_dev], table[is_test]

    @staticmethod
    def download(path: str, source: str | None = None) -> None:
        """Create the dataset folder unless it exists.

        soundata provides the archive and its checksum.

        Args:
            path: Dataset folder: recordings in `default/`, metadata in `esc50.csv`.
            source: Unpacked folder with `audio/` and `meta/`, to link instead of downloading.

        Raises:
            FileExistsError: If the folder exists but is incomplete.
            FileNotFoundError: If `source` lacks a recording or the table.
        """
        root = Path(path)
        if is_built(root, ["esc50.csv"]):
            return
        archives = root.with_name(f"{root.name}.download")
        tree = Path(source) if source else _download(archives)
        with atomic_folder(root) as folder:
            table = read_csv(tree / "meta" / "esc50.csv", ["filename", "fold"])
            (folder / "default").mkdir()
            link(table["filename"], tree / "audio", folder / "default")
            table.to_csv(folder / "esc50.csv", index=False)
        if not source:
            shutil.rmtree(archives)


def _download(archives: Path) -> Path:
    import soundata

    soundata.initialize("esc50", data_home=str(archives)).download(partial_download=["all"])
    return archives
