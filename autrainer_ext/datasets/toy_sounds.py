"""Building blocks of synthetic acoustic scenes: noises, sweeps and impacts at 16 kHz.

Functions take a random generator and return arrays of at most `LENGTH` samples with an RMS or a
peak of about one.
"""

from collections.abc import Callable

import numpy as np

RATE = 16_000
LENGTH = RATE
_FREQUENCIES = np.fft.rfftfreq(LENGTH, 1 / RATE)


def noise(rng: np.random.Generator, low: float, high: float, slope: float = 0.0) -> np.ndarray:
    """Stationary noise between two frequencies in Hz; its power falls by `slope` dB/octave."""
    size = len(_FREQUENCIES)
    spectrum = rng.standard_normal(size) + 1j * rng.standard_normal(size)
    octaves = np.log2(np.maximum(_FREQUENCIES, 1.0) / 1000)
    inside = np.minimum(_FREQUENCIES / low, high / np.maximum(_FREQUENCIES, 1.0))
    gain = 10 ** (-slope * octaves / 20) * np.minimum(inside, 1.0) ** 3
    signal = np.fft.irfft(spectrum * gain, LENGTH)
    return signal / np.sqrt(np.mean(signal**2))


def swell(rng: np.random.Generator, rate: float, depth: float) -> np.ndarray:
    """Positive random envelope of up to `rate` Hz with a depth in nepers and mean square one."""
    envelope = np.exp(depth * noise(rng, 0.7, rate))
    return envelope / np.sqrt(np.mean(envelope**2))


def harmonics(phase: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Sum of gains[k - 1] * sin(k * phase) over k from 1, by Horner's rule on exp(i phase)."""
    turn = np.exp(1j * phase)
    total = np.zeros_like(turn)
    for gain in gains[::-1]:
        total = (total + gain) * turn
    return total.imag


def impact(rng: np.random.Generator, frequency: float, decay: float) -> np.ndarray:
    """Impact: three damped modes near `frequency` in Hz and a click; `decay` in seconds."""
    t = np.arange(int(6 * decay * RATE)) / RATE
    modes = frequency * rng.uniform(0.6, 1.9, (3, 1))
    phases = rng.uniform(0, 2 * np.pi, (3, 1))
    ringing = np.sin(2 * np.pi * modes * t + phases).sum(axis=0) / 3
    click = rng.standard_normal(len(t)) * np.exp(-t / (decay / 6))
    return ringing * np.exp(-t / decay) + 0.6 * click


def call(rng: np.random.Generator, start: float, end: float, seconds: float) -> np.ndarray:
    """Whistle, bird or gull: a sweep from `start` to `end` Hz with a weaker second harmonic."""
    t = np.arange(int(seconds * RATE)) / RATE
    wobble = rng.uniform(0, 0.03) * np.sin(2 * np.pi * rng.uniform(15, 40) * t)
    frequency = start * (end / start) ** (t / seconds) * (1 + wobble)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    tone = np.sin(phase) + rng.uniform(0, 0.4) * np.sin(2 * phase)
    return tone * np.hanning(len(t))


def syllable(rng: np.random.Generator, pitch: float) -> np.ndarray:
    """Voiced syllable of 0.1 to 0.25 s: harmonics of `pitch` Hz under two random formants."""
    t = np.arange(int(rng.uniform(0.1, 0.25) * RATE)) / RATE
    glide = pitch * (1 + rng.uniform(-0.15, 0.15) * t / t[-1])
    formants = np.array([rng.uniform(300, 900), rng.uniform(1000, 2600)])
    distance = (np.arange(pitch, 3500, pitch)[:, None] - formants) / np.array([150, 250])
    gains = (np.array([1.0, 0.5]) / (1 + distance**2)).sum(axis=1)
    voice = harmonics(2 * np.pi * np.cumsum(glide) / RATE, gains)
    return voice / np.abs(voice).max() * np.hanning(len(t))


def pass_by(rng: np.random.Generator, pitch: float) -> np.ndarray:
    """Passing vehicle: tyre noise and an engine of `pitch` Hz, with rising and falling level."""
    t = np.arange(LENGTH) / RATE
    closest, width = rng.uniform(-0.2, 1.2), rng.uniform(0.2, 0.5)
    glide = 2 * np.pi * np.cumsum(pitch * (1 - 0.06 * np.tanh((t - closest) / width))) / RATE
    engine = harmonics(glide, 1 / np.arange(1, 9))
    body = noise(rng, 250, rng.uniform(1500, 3000), 3.0) + 0.7 * engine
    return body / (1 + ((t - closest) / width) ** 2)


def repeat(
    rng: np.random.Generator, rate: float, jitter: float, event: Callable[[], np.ndarray]
) -> np.ndarray:
    """Repeat an event about `rate` times per second.

    Args:
        rng: Random generator.
        rate: Events per second, positive.
        jitter: Maximum shift of each event in periods; 0 for regular events.
        event: Function that makes the next event. Events are cut at the end of the second.

    Returns:
        Sum of the events with levels that vary by up to 8 dB, shape (LENGTH,).
    """
    track = np.zeros(LENGTH)
    onsets = np.arange(rng.uniform(0, 1), rate + 1)
    onsets = (onsets - 0.5 + jitter * rng.uniform(-1, 1, len(onsets))) / rate
    for onset in onsets:
        sound = event() * 10 ** (rng.uniform(-8, 0) / 20)
        begin = int(onset * RATE)
        if 0 <= begin < LENGTH:
            sound = sound[: LENGTH - begin]
            track[begin : begin + len(sound)] += sound
    return track
