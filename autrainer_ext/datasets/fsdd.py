"""Free Spoken Digit Dataset (FSDD)."""

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from zipfile import ZipFile

import pandas as pd
from tqdm import tqdm

from autrainer_ext.atomic import atomic_folder
from autrainer_ext.errors import unknown_name

from .archives import check_sizes, extract
from .cached import CachedClassificationDataset
from .folders import is_built, link

ARCHIVE = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
_RECORDING = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<take>\d+)\.wav")
_OFFICIAL_TEST_TAKES = 5


class FSDD(CachedClassificationDataset):
    """Free Spoken Digit Dataset: English digits, 50 takes per digit and speaker, 8 kHz.

    Test speakers are held out. The official split, in contrast, tests on takes 0 to 4 of the
    training speakers.

    Args:
        test_speakers: Speakers of the test split, excluded from training. An empty list selects
            the official split, with takes 0 to 4 for both dev and test. Use it to train final
            models on all speakers, not to compare models.
        dev_speakers: Speakers of the dev split. Default: takes 0 to 4 of the training speakers.
        source: Folder of recordings for `download`; not used afterwards.
        **kwargs: Arguments of `CachedClassificationDataset`.

    Raises:
        ValueError: If a speaker does not exist or is in both lists, or if there are dev speakers
            but no test speakers.

    Source:
        Jackson et al. (2018), Jakobovski/free-spoken-digit-dataset, version 1.0.10.
        DOI 10.5281/zenodo.1342401. CC BY-SA 4.0.
    """

    def __init__(
        self,
        test_speakers: list[str],
        dev_speakers: list[str] | None = None,
        source: str | None = None,
        **kwargs: Any,  # noqa: ANN401  passed on
    ) -> None:
        self.test_speakers = list(test_speakers)
        self.dev_speakers = list(dev_speakers or [])
        self.source = source
        super().__init__(**kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Split `fsdd.csv` by speakers and takes."""
        table = self.read_table("fsdd.csv", ["speaker", "take"])
        self._check_speakers(sorted(table["speaker"].unique()))
        is_early_take = table["take"] < _OFFICIAL_TEST_TAKES
        if not self.test_speakers:
            return table[~is_early_take], table[is_early_take], table[is_early_take]
        is_test = table["speaker"].isin(self.test_speakers)
        is_dev = table["speaker"].isin(self.dev_speakers) if self.dev_speakers else is_early_take
        return table[~is_test & ~is_dev], table[~is_test & is_dev], table[is_test]

    def _check_speakers(self, speakers: list[str]) -> None:
        for speaker in self.test_speakers + self.dev_speakers:
            if speaker not in speakers:
                raise unknown_name("speaker", speaker, speakers)
            if speaker in self.test_speakers and speaker in self.dev_speakers:
                raise ValueError(
                    f"Speaker '{speaker}' cannot be in both the dev and the test split."
                )
        if self.dev_speakers and not self.test_speakers:
            raise ValueError(
                "dev_speakers require test_speakers: the official split defines its own dev split."
            )

    @staticmethod
    def download(path: str, source: str | None = None) -> None:
        """Create the dataset folder unless it exists.

        Args:
            path: Dataset folder: recordings in `default/`, metadata in `fsdd.csv`.
            source: Folder of recordings to link. Default: the environment variable
                `FSDD_SOURCE` if set, otherwise the public archive of 3,000 recordings.

        Raises:
            FileExistsError: If the folder exists but is incomplete.
            FileNotFoundError: If `source` contains no recordings.
        """
        if is_built(Path(path), ["fsdd.csv"]):
            return
        source = source or os.environ.get("FSDD_SOURCE")
        with atomic_folder(Path(path)) as folder:
            recordings = folder / "default"
            recordings.mkdir()
            if source:
                _link(Path(source), recordings)
            else:
                _extract(ARCHIVE, recordings)
            _table(recordings).to_csv(folder / "fsdd.csv", index=False)


def _link(source: Path, recordings: Path) -> None:
    names = [p.name for p in source.glob("*.wav") if _RECORDING.fullmatch(p.name)]
    if not names:
        raise FileNotFoundError(f"'{source}' contains no recordings named digit_speaker_take.wav.")
    link(names, source, recordings)


def _extract(url: str, recordings: Path) -> None:
    """Extract the recordings of a zip archive, from any of its folders, into one folder."""
    with tempfile.TemporaryFile() as file:
        with urlopen(url) as response:
            total = int(response.headers.get("Content-Length") or 0) or None
            with tqdm.wrapattr(response, "read", total=total, desc="FSDD") as body:
                shutil.copyfileobj(body, file)
        with ZipFile(file) as archive:
            members = {Path(member).name: member for member in archive.namelist()}
            names = [name for name in members if _RECORDING.fullmatch(name)]
            if not names:
                raise FileNotFoundError(f"{url} contains no recordings.")
            check_sizes(archive)
            for name in names:
                extract(archive, members[name], recordings / name)


def _table(recordings: Path) -> pd.DataFrame:
    rows = []
    for name in (p.name for p in recordings.iterdir()):
        if match := _RECORDING.fullmatch(name):
            rows.append((name, match["digit"], match["speaker"], int(match["take"])))
    rows.sort(key=lambda row: row[1:])
    return pd.DataFrame(rows, columns=["filename", "digit", "speaker", "take"])
