"""A small data set of acoustic scenes that is made from code."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from tqdm import tqdm

from autrainer_ext.atomic import atomic_folder

from .cached import CachedClassificationDataset
from .folders import is_built
from .toy_devices import DEVICES, record
from .toy_sounds import CITIES, RATE, SCENES, moment

TABLES = ["train.csv", "dev.csv", "test.csv"]
TRAIN_MOMENTS = [180, 126, 88, 62, 43, 30]
DEV_MOMENTS, TEST_MOMENTS = 14, 25
_SEED = 2022


class ToyScenes(CachedClassificationDataset):
    """Six made-up acoustic scenes in four cities, on four devices, for demonstrations and tests.

    The problems of real recordings in small: 1,910 clips of one second at 16 kHz.

    - Long-tailed: training moments fall from 180 to 30 per scene, an imbalance ratio of 6;
      development and test are balanced, with 14 and 25 moments per scene.
    - Several devices at the same moment: in training every moment is on device `a` and on
      either `b` or `c`, in development on all three, in test also on `d`, which does not occur
      in training.
    - No moment is in two splits.

    The tables have the columns filename, scene, device, city and moment. Arguments are those of
    `CachedClassificationDataset`.
    """

    @staticmethod
    def download(path: str) -> None:
        """Make the dataset folder, unless it is there already: always the same clips.

        Args:
            path: Dataset folder: recordings in `default/`, tables `train.csv`, `dev.csv` and
                `test.csv`.

        Raises:
            FileExistsError: If the folder exists but is incomplete.
        """
        if is_built(Path(path), TABLES):
            return
        with atomic_folder(Path(path)) as folder:
            build(folder, _SEED)


def build(folder: Path, seed: int) -> None:
    """Write all recordings and tables.

    Args:
        folder: Empty folder.
        seed: Not negative. The same seed gives the same samples, whatever is made before.
    """
    recordings = folder / "default"
    recordings.mkdir()
    table = plan(seed)
    for (scene, city, number), rows in tqdm(
        table.groupby(["scene", "city", "moment"], sort=False), desc="ToyScenes"
    ):
        sound = moment(scene, city, np.random.default_rng([seed, number]))
        for name, device in zip(rows["filename"], rows["device"], strict=True):
            rng = np.random.default_rng([seed, number, ord(device)])
            soundfile.write(recordings / name, record(sound, device, rng), RATE)
    for split, rows in table.groupby("split"):
        rows.drop(columns="split").to_csv(folder / f"{split}.csv", index=False)


def plan(seed: int) -> pd.DataFrame:
    """Which moments are recorded where, on which devices and for which split.

    Args:
        seed: Chooses the cities.

    Returns:
        Columns filename, scene, device, city, moment and split, one row per recording.
    """
    rng = np.random.default_rng(seed)
    rows = []
    number = 0
    for rank, scene in enumerate(SCENES):
        moments = {"train": TRAIN_MOMENTS[rank], "dev": DEV_MOMENTS, "test": TEST_MOMENTS}
        for split, count in moments.items():
            for _ in range(count):
                city = rng.choice(list(CITIES))
                for device in _devices(split, number):
                    name = f"{scene}-{city}-{number:04d}-{device}.wav"
                    rows.append((name, scene, device, city, number, split))
                number += 1
    columns = ["filename", "scene", "device", "city", "moment", "split"]
    return pd.DataFrame(rows, columns=columns)


def _devices(split: str, number: int) -> list[str]:
    if split == "train":
        return ["a", "bc"[number % 2]]
    return [device for device in DEVICES if split == "test" or device != "d"]
