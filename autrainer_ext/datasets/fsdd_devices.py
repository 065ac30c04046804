"""Free Spoken Digit Dataset with simulated microphones."""

import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import soundfile
import torch
from torchaudio.functional import resample
from tqdm import tqdm

from autrainer_ext.atomic import atomic_folder
from autrainer_ext.corruptions.filters import impulse_response
from autrainer_ext.errors import unknown_name

from .folders import is_built
from .fsdd import FSDD

# Impulse responses of MicIRP; seen and unseen devices both range from nearly flat to telephone
DEVICES = {
    "oktava": "IR_OktavaMK18Silver.wav",
    "shure": "IR_Shure510C.wav",
    "toshiba": "Toshiba_BK5.wav",
    "astatic": "IR_Astatic77.wav",
    "lomo": "IR_Lomo52A5M.wav",
    "reslo": "Reslo_VMC2.wav",
}
SEEN = ["oktava", "shure", "toshiba"]
_TABLE = "fsdd.csv"
_HEADROOM = 0.5


class FSDDDevices(FSDD):
    """Spoken digits, each recorded in parallel with six simulated microphones.

    The training and dev splits contain the seen devices only, the test split all six. The column
    `device` names the microphone, the column `clip` the group of parallel recordings. Recordings
    are convolved with impulse responses, which preserves the energy of a clip and adds no delay.
    Noise and distortion of the devices are not simulated.

    Args:
        test_speakers: Speakers of the test split, as for `FSDD`.
        dev_speakers: Speakers of the dev split, as for `FSDD`.
        seen_devices: Devices of the training and dev splits, from `DEVICES`. Default: `SEEN`.
        source: Folder of recordings for `download`; not used afterwards.
        **kwargs: Arguments of `CachedClassificationDataset`.

    Raises:
        ValueError: If a device is not in the table, or as for `FSDD`.

    Source:
        Recordings: see `FSDD`. Responses: MicIRP, Xaudia, microphone impulse response project,
        Creative Commons.
    """

    def __init__(
        self,
        test_speakers: list[str],
        dev_speakers: list[str] | None = None,
        seen_devices: list[str] | None = None,
        source: str | None = None,
        **kwargs: Any,  # noqa: ANN401  passed on
    ) -> None:
        self.seen_devices = list(SEEN if seen_devices is None else seen_devices)
        super().__init__(test_speakers, dev_speakers, source, **kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Split `fsdd.csv` and keep only seen devices for training and dev."""
        known = self.read_table(_TABLE, ["device", "clip"])["device"].unique()
        for device in self.seen_devices:
            if device not in known:
                raise unknown_name("device", device, sorted(known))
        train, dev, test = super().load_dataframes()
        train, dev = (df[df["device"].isin(self.seen_devices)] for df in (train, dev))
        return train, dev, test

    @staticmethod
    def download(path: str, source: str | None = None, responses: str | None = None) -> None:
        """Create the dataset folder unless it exists.

        Args:
            path: Dataset folder: recordings in `default/`, metadata in `fsdd.csv`.
            source: Folder of FSDD recordings. Default: the environment variable `FSDD_SOURCE`,
                otherwise the public archive.
            responses: Folder with the impulse responses of `DEVICES`. Default: the environment
                variable `MIC_IRS`.

        Raises:
            FileExistsError: If the folder exists but is incomplete.
            FileNotFoundError: If a response is missing or `source` contains no recordings.
        """
        if is_built(Path(path), [_TABLE]):
            return
        microphones = _read_responses(responses or os.environ.get("MIC_IRS"))
        with atomic_folder(Path(path)) as folder:
            FSDD.download(str(folder / "fsdd"), source)
            (folder / "default").mkdir()
            clips = pd.read_csv(folder / "fsdd" / _TABLE)
            rows = []
            for clip in tqdm(clips.to_dict("records"), desc="FSDDDevices"):
                stem = Path(clip["filename"]).stem
                sound, rate = soundfile.read(folder / "fsdd/default" / clip["filename"])
                for device, (response, response_rate) in microphones.items():
                    row = clip | {"filename": f"{stem}-{device}.wav", "device": device}
                    rows.append(row | {"clip": stem})
                    recorded = _record(torch.from_numpy(sound), rate, response, response_rate)
                    soundfile.write(folder / "default" / row["filename"], recorded, rate)
            shutil.rmtree(folder / "fsdd")
            pd.DataFrame(rows).to_csv(folder / _TABLE, index=False)


def _read_responses(folder: str | None) -> dict[str, tuple[torch.Tensor, int]]:
    if folder is None:
        raise FileNotFoundError(
            "The environment variable MIC_IRS must name a folder of impulse responses (MicIRP)."
        )
    microphones = {}
    for device, name in DEVICES.items():
        path = Path(folder, name)
        if not path.is_file():
            raise FileNotFoundError(f"Impulse response '{path}' is missing.")
        response, rate = soundfile.read(path, always_2d=True)
        microphones[device] = torch.from_numpy(response.mean(axis=1)), rate
    return microphones


def _record(
    sound: torch.Tensor, rate: int, response: torch.Tensor, response_rate: int
) -> torch.Tensor:
    recorded = impulse_response(
        sound[None],
        rate,
        1.0,
        generator=torch.Generator(),
        sounds=[resample(response, response_rate, rate)],
    )
    return _HEADROOM * recorded[0]
