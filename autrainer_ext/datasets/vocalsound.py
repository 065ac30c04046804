"""VocalSound: laughs, sighs, coughs and similar sounds of thousands of people."""

import json
import logging
import re
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import pandas as pd
import soundfile

from .archives import download, unpack
from .folders import read_csv
from .official import OfficialSplitDataset

ARCHIVE = "https://www.dropbox.com/s/c5ace70qh1vbyzb/vs_release_16k.zip?dl=1"
_LOG = logging.getLogger(__name__)
_LISTS = {"train": "tr", "dev": "val", "test": "te"}
_RECORDING = re.compile(r"(?P<speaker>[fm]\d+)_(?P<take>\d+)_(?P<sound>[a-z]+)\.wav")
_WANTED = (
    rf"(?:.*/)?(?P<path>audio_16k/{_RECORDING.pattern}"
    r"|datafiles/(?:tr|val|te)\.json|meta/(?:tr|val|te)_meta\.csv)"
)
_META = ["speaker", "meta_gender", "age", "country", "language", "health"]
_COLUMNS = ["filename", "sound", "speaker", "gender", "age", "country", "language", "health"]


class VocalSound(OfficialSplitDataset):
    """VocalSound, the release at 16 kHz: six sounds made by 3,365 people.

    The dataset uses those of the 21,024 recordings that are in the official training, validation
    and test lists and are not empty, as some recordings of the release are. No person is in two
    lists. The table has the columns filename, sound, speaker, gender, age, country, (native)
    language, health (condition, "no" for none), take and split.

    Args:
        **kwargs: Arguments of `OfficialSplitDataset`.

    Source:
        Gong, Yu and Glass (2022), VocalSound: A dataset for improving human vocal sounds
        recognition. ICASSP. DOI 10.1109/ICASSP43922.2022.9746828. CC BY-SA 4.0.
    """

    TABLE = "vocalsound.csv"
    RECORDINGS = "audio_16k"

    @staticmethod
    def fetch(archives: Path) -> Path:
        """Download and unpack the archive. No checksum is published for it."""
        file = archives / "vs_release_16k.zip"
        download(ARCHIVE, file)
        try:
            with ZipFile(file) as archive:
                unpack(archive, _WANTED, archives / "unpacked")
        except BadZipFile as error:
            file.unlink()
            raise OSError(
                f"{ARCHIVE} sent no intact archive ({error}): fetch again later, "
                "or set `source` to an unpacked copy."
            ) from error
        return archives / "unpacked"

    @staticmethod
    def tabulate(tree: Path) -> pd.DataFrame:
        """Read the official lists, the file names and the metadata of the speakers.

        Args:
            tree: Unpacked folder, with `audio_16k/`, `datafiles/` and `meta/`.

        Raises:
            FileNotFoundError: If a list or a listed recording is missing.
            ValueError: If a list contains a name that does not follow the pattern of recordings.
        """
        table = pd.concat([_read_split(tree, split) for split in _LISTS], ignore_index=True)
        is_empty = table["filename"].map(lambda name: _is_empty(tree / "audio_16k" / name))
        if is_empty.any():
            _LOG.warning(
                "%d listed recordings of VocalSound are empty and are left out, such as '%s'.",
                is_empty.sum(),
                table["filename"][is_empty].iloc[0],
            )
        return table[~is_empty]


def _read_split(tree: Path, split: str) -> pd.DataFrame:
    name = f"{_LISTS[split]}.json"
    path = tree / "datafiles" / name
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["data"]
        files = [str(entry["wav"]).rpartition("/")[2] for entry in entries]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"List '{path}' is damaged: it names no recordings.") from error
    for file in files:
        if not _RECORDING.fullmatch(file):
            raise ValueError(f"'{file}' in '{name}' is not named speaker_take_sound.wav.")
    table = pd.DataFrame({"filename": files})
    table = table.join(table["filename"].str.extract(_RECORDING))
    table["gender"] = table["speaker"].str[0].map({"f": "female", "m": "male"})
    meta = read_csv(tree / "meta" / f"{_LISTS[split]}_meta.csv", header=None, names=_META)
    meta = meta.drop_duplicates("speaker").drop(columns="meta_gender")
    return table.merge(meta, "left", "speaker")[[*_COLUMNS, "take"]].assign(split=split)


def _is_empty(recording: Path) -> bool:
    if not recording.is_file():
        raise FileNotFoundError(f"Recording '{recording}' is listed but missing.")
    try:
        return soundfile.info(recording).frames == 0
    except soundfile.LibsndfileError:
        return True
