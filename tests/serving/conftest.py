import shutil
from pathlib import Path

import autrainer
import numpy as np
import pytest
import soundfile
import torch

from autrainer_ext.models import CPMobile
from autrainer_ext.serving.model_directory import write_model_directory

LABELS = [f"class {index}" for index in range(4)]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = CPMobile(4, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]])
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    directory = tmp_path_factory.mktemp("served") / "model"
    log_mel = configurations / "preprocessing/log_mel_16k.yaml"
    write_model_directory(directory, network, LABELS, log_mel)
    return str(directory)


@pytest.fixture
def model_without_resampling(model, tmp_path):
    directory = shutil.copytree(model, tmp_path / "fixed rate")
    handler = directory / "preprocess_file_handler.yaml"
    text = handler.read_text()
    assert "target_sample_rate: 16000" in text
    handler.write_text(text.replace("target_sample_rate: 16000", "target_sample_rate: null"))
    return str(directory)


def noise(n_samples, channels=1, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (n_samples, channels))


@pytest.fixture
def recordings(tmp_path):
    """Usable files of many kinds and lengths, some in sub-folders."""
    folder = tmp_path / "recordings"
    (folder / "sub folder/deep").mkdir(parents=True)
    for index, n_samples in enumerate([8000, 8000, 12000, 8000, 20000, 8001]):
        soundfile.write(folder / f"{index}.wav", noise(n_samples, seed=index), 16000)
    for subtype in ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        soundfile.write(folder / f"{subtype}.wav", noise(8000), 16000, subtype=subtype)
    soundfile.write(folder / "stereo.wav", noise(8000, 2), 16000)
    soundfile.write(folder / "high.wav", noise(22050), 44100)
    soundfile.write(folder / "low.wav", noise(4000), 8000)
    soundfile.write(folder / 'übung 日本, "q".wav', noise(8000), 16000)
    soundfile.write(folder / "sub folder/deep/inner.wav", noise(8000), 16000)
    return str(folder)
