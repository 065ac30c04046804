"""Small synthetic dataset of acoustic scenes."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from tqdm import tqdm

from autrainer_ext.atomic import atomic_folder

from .cached import CachedClassificationDataset
from .folders import is_built
from .toy_devices import DEVICES, record
from .toy_sounds import RATE
from .toy_soundscapes import CITIES, SCENES, moment

TABLES = ["train.csv", "dev.csv", "test.csv"]
TRAIN_MOMENTS = [180, 126, 88, 62, 43, 30]
DEV_MOMENTS, TEST_MOMENTS = 14, 25
_SEED = 2022


class ToyScenes(CachedClassificationDataset):
    """Six synthetic acoustic scenes in four cities on four devices, for demonstrations and tests.

    1,910 clips of one second at 16 kHz reproduce typical problems of real recordings:

    - Long-tailed classes: moments per scene fall from 180 to 30 in the training split, an
      imbalance ratio of 6. The dev and test splits are balanced, with 14 and 25 moments per scene.
    - Parallel recordings: every training moment is recorded with device `a` and either `b` or
      `c`, every dev moment with all three, every test moment also with `d`, which does not
      occur in training.
    - No moment is in two splits.

    The tables have the columns filename, scene, device, city and moment. The arguments are those
    of `CachedClassificationDataset`.
    """

    @staticmethod
    def download(path: str) -> None:
        """Create the dataset folder unless it exists. The clips are always the same.

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
    """Synthesise and write all recordings and tables.

    Args:
        folder: Empty folder.
        seed: Seed of the random draws, not negative. Each recording depends on it alone.
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
    """List all recordings: moment, city, device and split.

    Args:
        seed: Seed of the random choice of cities.

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
