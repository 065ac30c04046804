"""Augmentations of log spectrograms for the augmentation pipelines of the hosts."""

from .device_impulse_response import DeviceImpulseResponse, band_gains
from .freq_mixstyle import FreqMixStyle, mix_frequency_styles
from .recording import EdgeCut, NoiseFloor, RandomEqualiser, SurroundingSilence
from .warping import TimeStretch, VocalTractPerturbation

__all__ = [
    "DeviceImpulseResponse",
    "EdgeCut",
    "FreqMixStyle",
    "NoiseFloor",
    "RandomEqualiser",
    "SurroundingSilence",
    "TimeStretch",
    "VocalTractPerturbation",
    "band_gains",
    "mix_frequency_styles",
]
