"""Augmentations of log-mel spectrograms, for the hosts' augmentation pipelines."""

from .recording import NoiseFloor, RandomEqualiser, SurroundingSilence
from .warping import TimeStretch, VocalTractPerturbation

__all__ = [
    "NoiseFloor",
    "RandomEqualiser",
    "SurroundingSilence",
    "TimeStretch",
    "VocalTractPerturbation",
]
