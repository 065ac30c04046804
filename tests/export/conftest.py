"""The shipped model, and synthetic recordings of several lengths."""

import numpy as np
import pytest
import soundfile

from autrainer_ext.export.network import ClipMaker
from autrainer_ext.serving.clip_reader import ClipReader

LENGTHS = (0.3, 0.96, 1.7, 2.4)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """Folder of tones with noise, mono and stereo."""
    folder = tmp_path_factory.mktemp("recordings")
    generator = np.random.default_rng(0)
    for index in range(8):
        time = np.arange(int(16_000 * LENGTHS[index % 4])) / 16_000
        sound = np.sin(2 * np.pi * 200 * (index + 1) * time) * np.exp(-2 * time)
        sound = 0.3 * sound + 0.02 * generator.normal(size=len(time))
        if index == 1:
            sound = np.stack([sound, 0.5 * sound], axis=1)
        soundfile.write(folder / f"{index}.wav", sound, 16_000)
    return folder


@pytest.fixture(scope="session")
def maker(root):
    return ClipMaker(ClipReader(model_path=str(root / "model"), device="cpu"))


@pytest.fixture(scope="session")
def clips(maker, recordings):
    return [maker.read(recordings, f"{index}.wav") for index in range(8)]
