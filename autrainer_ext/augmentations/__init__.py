"""Augmentations of log-mel spectrograms, for the hosts' augmentation pipelines."""

from .recording import EdgeCut, NoiseFloor, RandomEqualiser, SurroundingSilence
from .warping import TimeStretch, VocalTractPerturbation

__all__ = [
    "EdgeCut",
    "NoiseFloor",
    "RandomEqualiser",
    "SurroundingSilence",
    "TimeStretch",
    "VocalTractPerturbation",
]
