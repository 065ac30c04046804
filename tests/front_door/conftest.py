import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

RATE = 16000


@pytest.fixture
def python(tmp_path):
    """Run a piece of Python in a fresh process, in an empty folder; its output."""

    def run(code):
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return run


@pytest.fixture
def network():
    """Any network with norm layers, from features to three logits."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    )


@pytest.fixture
def tone():
    """Half a second of a tone that fades in, 16 kHz."""
    time = np.arange(RATE // 2) / RATE
    return np.sin(2 * np.pi * 440 * time) * time


@pytest.fixture
def clip(tone, tmp_path):
    """The tone as a file of 8 kHz."""
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone[::2], RATE // 2)
    return path
