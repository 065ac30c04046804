"""Simulated recording devices: response, echo of the casing, gain, clipping and self-noise."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from .toy_sounds import LENGTH, RATE


@dataclass(frozen=True)
class Device:
    """A microphone and its amplifier.

    Args:
        response: Gain in dB at some frequencies in Hz, interpolated over log frequency.
        echo: Level of a reflection after 0.6 ms, relative to the direct sound.
        gain: Amplification in dB.
        ceiling: Saturation level relative to full scale. Much quieter sounds are unchanged.
        self_noise: Level of the amplifier noise in dB relative to full scale.
    """

    response: dict[float, float]
    echo: float
    gain: float
    ceiling: float
    self_noise: float


# `d` differs most: narrow-band, resonant, noisy and easily overdriven
DEVICES = {
    "a": Device({50: -3, 100: 0, 7000: 0, 8000: -6}, 0.0, 0, 1.0, -75),
    "b": Device({50: -24, 200: -3, 400: 0, 4000: 6, 6000: 0, 8000: -15}, 0.25, 3, 0.5, -62),
    "c": Device({50: -9, 150: 2, 800: 0, 3000: -4, 6000: -8, 8000: -20}, 0.4, -4, 0.8, -58),
    "d": Device({50: -20, 300: -5, 1500: 5, 3500: 0, 5500: -8, 8000: -24}, 0.4, 3, 0.3, -55),
}


@cache
def _transfer(device: str) -> np.ndarray:
    settings = DEVICES[device]
    frequencies = np.fft.rfftfreq(2 * LENGTH, 1 / RATE)
    known = np.log(list(settings.response))
    decibels = np.interp(np.log(frequencies + 1), known, list(settings.response.values()))
    delay = np.exp(-2j * np.pi * frequencies * 0.0006)
    return 10 ** ((decibels + settings.gain) / 20) * (1 + settings.echo * delay)


def record(sound: np.ndarray, device: str, rng: np.random.Generator) -> np.ndarray:
    """Simulate the recording of a sound with a device.

    Args:
        sound: Pressure, shape (LENGTH,).
        device: One of `DEVICES`.
        rng: Random generator of the self-noise.

    Returns:
        16-bit samples, shape (LENGTH,).
    """
    settings = DEVICES[device]
    signal = np.fft.irfft(np.fft.rfft(sound, 2 * LENGTH) * _transfer(device))[:LENGTH]
    signal += 10 ** (settings.self_noise / 20) * rng.standard_normal(LENGTH)
    signal = settings.ceiling * np.tanh(signal / settings.ceiling)
    return np.round(32_767 * signal).astype(np.int16)
