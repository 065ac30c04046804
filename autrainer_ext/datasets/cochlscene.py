"""CochlScene: acoustic scenes recorded by hundreds of people."""

import json
from pathlib import Path
from typing import ClassVar

import pandas as pd

from .archives import download, unpack
from .official import OfficialSplitDataset
from .split_zip import open_split_zip

RECORD = "https://zenodo.org/api/records/7080122"
_FOLDERS = {"train": "Train", "dev": "Val", "test": "Test"}
_WANTED = r"(?:.*/)?(?P<path>(?:Train|Val|Test)/\w+/\w+\.wav)"
_LAST = "CochlScene.zip"


class CochlScene(OfficialSplitDataset):
    """CochlScene: 76,115 clips of 10 s, 13 acoustic scenes, recorded by 831 people with phones.

    The table has the columns filename, scene, user, recording, segment (of the recording) and
    split.

    Args:
        **kwargs: Arguments of `OfficialSplitDataset`.

    Source:
        Jeong and Park (2022), CochlScene: Acquisition of acoustic scene data using
        crowdsourcing. APSIPA. Data and licence: DOI 10.5281/zenodo.7080122.
    """

    TABLE = "cochlscene.csv"
    SIZES: ClassVar = {"train": 60_855, "dev": 7_573, "test": 7_687}

    @staticmethod
    def fetch(archives: Path) -> Path:
        """Download the parts of the split archive and unpack them.

        Checksums are those listed by Zenodo.
        """
        record = archives / "record.json"
        download(RECORD, record)
        for name, url, checksum in _read_record(record):
            download(url, archives / name, checksum=checksum)
        with open_split_zip(archives / _LAST) as archive:
            unpack(archive, _WANTED, archives / "unpacked")
        return archives / "unpacked"

    @staticmethod
    def tabulate(tree: Path) -> pd.DataFrame:
        """Read the official split from the folders and the other columns from the file names.

        Args:
            tree: Unpacked folder, with `Train/`, `Val/` and `Test/`.

        Raises:
            FileNotFoundError: If one of the folders contains no recording.
        """
        return pd.concat([_read_split(tree, split) for split in _FOLDERS], ignore_index=True)


def _read_record(path: Path) -> list[tuple[str, str, str]]:
    """Name, URL and checksum of each part of the archive."""
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        parts = [(file["key"], file["links"]["self"], file["checksum"]) for file in files]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"Record '{path}' lists no files: delete it, then fetch again.") from error
    for name, _, _ in parts:
        if Path(name).name != name:
            raise ValueError(f"Record '{path}' lists a file '{name}' that leads out of its folder.")
    return [part for part in parts if part[0].startswith("CochlScene.z")]


def _read_split(tree: Path, split: str) -> pd.DataFrame:
    files = sorted(tree.glob(f"{_FOLDERS[split]}/*/*.wav"))
    if not files:
        raise FileNotFoundError(f"'{tree / _FOLDERS[split]}' contains no recordings.")
    names = [file.relative_to(tree).as_posix() for file in files]
    table = pd.DataFrame({"filename": names, "scene": [file.parent.name for file in files]})
    parts = r"_(?P<user>user\d+)_(?P<recording>\d+)_(?P<segment>\d+)\.wav$"
    return table.join(table["filename"].str.extract(parts)).assign(split=split)
