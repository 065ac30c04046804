"""Data set `Tones`: low, middle and high tones in noise, computed when it is fetched."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from autrainer_ext.atomic import atomic_folder
from autrainer_ext.datasets import CachedClassificationDataset

RATE = 16_000  # Hz
FREQUENCIES = {"low": 300, "middle": 1000, "high": 3000}  # Hz
SIZES = {"train": 24, "dev": 9, "test": 9}  # clips, in every split a multiple of three


class Tones(CachedClassificationDataset):
    """Three classes of tones, one second each; the arguments are those of the base class."""

    @staticmethod
    def download(path: str) -> None:
        """Write the recordings to `default/` and the tables of the splits beside it.

        Args:
            path: Folder of the data set. An existing folder is left as it is.
        """
        if Path(path).is_dir():
            return
        generator = np.random.default_rng(0)
        seconds = np.arange(RATE) / RATE
        with atomic_folder(Path(path)) as folder:
            (folder / "default").mkdir()
            for split, size in SIZES.items():
                pitches = list(FREQUENCIES) * (size // len(FREQUENCIES))
                names = [f"{split}-{number}.wav" for number in range(size)]
                for name, pitch in zip(names, pitches, strict=True):
                    tone = 0.1 * np.sin(2 * np.pi * FREQUENCIES[pitch] * seconds)
                    noise = generator.normal(0, 0.05, RATE)
                    soundfile.write(folder / "default" / name, tone + noise, RATE)
                table = pd.DataFrame({"filename": names, "pitch": pitches})
                table.to_csv(folder / f"{split}.csv", index=False)
