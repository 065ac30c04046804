"""Free Spoken Digit Dataset."""

import os
import re
import shutil
import tempfile
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import pandas as pd
from tqdm import tqdm

from autrainer_ext.atomic import atomic_folder
from autrainer_ext.errors import unknown_name

from .cached import CachedClassificationDataset
from .folders import is_built, link

ARCHIVE = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
_RECORDING = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<take>\d+)\.wav")
_OFFICIAL_TEST_TAKES = 5


class FSDD(CachedClassificationDataset):
    """Free Spoken Digit Dataset: English digits, 50 takes per digit and speaker, 8 kHz.

    By default one speaker is held out, which the official split does not do: it tests takes
    0 to 4 of the very speakers it trains on.

    Args:
        test_speakers: Speakers to test on. None are left for training. Empty for the official
            split, takes 0 to 4 for both development and test: for final models that learn
            from every speaker, not for choosing between models.
        dev_speakers: Speakers to develop on. Default: takes 0 to 4 of the training speakers.
        source: Folder of recordings for `download`; not used afterwards.
        **kwargs: Those of `CachedClassificationDataset`.

    Raises:
        ValueError: If a speaker does not exist, is in both lists, or if there are development
            speakers without test speakers.

    Source:
        Jackson et al. (2018), Jakobovski/free-spoken-digit-dataset, version 1.0.10.
        DOI 10.5281/zenodo.1342401. CC BY-SA 4.0.
    """

    def __init__(
        self,
        test_speakers: list[str],
        dev_speakers: list[str] | None = None,
        source: str | None = None,
        **kwargs,
    ) -> None:
        self.test_speakers = list(test_speakers)
        self.dev_speakers = list(dev_speakers or [])
        self.source = source
        super().__init__(**kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Cut `fsdd.csv` into training, development and test recordings."""
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
                raise ValueError(f"Speaker '{speaker}' cannot be both for development and test.")
        if self.dev_speakers and not self.test_speakers:
            raise ValueError("dev_speakers need test_speakers: the official split has its own.")

    @staticmethod
    def download(path: str, source: str | None = None) -> None:
        """Make the dataset folder, unless it is there already.

        Args:
            path: Dataset folder: recordings in `default/`, metadata in `fsdd.csv`.
            source: Folder of recordings to link. Default: the environment variable
                `FSDD_SOURCE`, and without it the public archive of 3,000 recordings.

        Raises:
            FileExistsError: If the folder exists but is incomplete.
            FileNotFoundError: If there are no recordings in `source`.
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
        raise FileNotFoundError(f"'{source}' holds no recordings named digit_speaker_take.wav.")
    link(names, source, recordings)


def _extract(url: str, recordings: Path) -> None:
    """Write the recordings of a zip archive, whatever folders it puts them in."""
    with tempfile.TemporaryFile() as file:
        with urlopen(url) as response:
            total = int(response.headers.get("Content-Length") or 0) or None
            with tqdm.wrapattr(response, "read", total=total, desc="FSDD") as body:
                shutil.copyfileobj(body, file)
        with ZipFile(file) as archive:
            members = {Path(member).name: member for member in archive.namelist()}
            names = [name for name in members if _RECORDING.fullmatch(name)]
            if not names:
                raise FileNotFoundError(f"{url} holds no recordings.")
            for name in names:
                (recordings / name).write_bytes(archive.read(members[name]))


def _table(recordings: Path) -> pd.DataFrame:
    rows = []
    for name in (p.name for p in recordings.iterdir()):
        digit, speaker, take = _RECORDING.fullmatch(name).groups()
        rows.append((name, digit, speaker, int(take)))
    rows.sort(key=lambda row: row[1:])
    return pd.DataFrame(rows, columns=["filename", "digit", "speaker", "take"])
