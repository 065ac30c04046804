"""Sounds of made-up acoustic scenes: one second at 16 kHz from noises, sweeps and impacts.

Scenes overlap on purpose. All have a textured background with a random slope, share kinds of
events, and hear now and then an event that belongs to another scene. What tells them apart is
what tells real scenes apart: how fast and how evenly a texture moves, and which events come how
often.

Functions take a generator, draw all their randomness from it and return arrays of at most
`LENGTH` samples with an RMS or a peak of about one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RATE = 16_000
LENGTH = RATE
_FREQUENCIES = np.fft.rfftfreq(LENGTH, 1 / RATE)


@dataclass(frozen=True)
class City:
    """How the scenes of a city differ from those of the others.

    Args:
        slope: Added to the slope of every background, in dB per octave.
        tempo: Factor on the rates of events.
        pitch: Factor on the frequencies of events.
    """

    slope: float
    tempo: float
    pitch: float


CITIES = {
    "arden": City(slope=0.0, tempo=1.0, pitch=1.0),
    "belmont": City(slope=0.7, tempo=1.15, pitch=1.08),
    "corvina": City(slope=-0.7, tempo=0.9, pitch=0.94),
    "dunmore": City(slope=0.3, tempo=0.85, pitch=1.15),
}


def noise(rng: np.random.Generator, low: float, high: float, slope: float = 0.0) -> np.ndarray:
    """Stationary noise between two frequencies in Hz, its power falling by `slope` dB/octave."""
    size = len(_FREQUENCIES)
    spectrum = rng.standard_normal(size) + 1j * rng.standard_normal(size)
    octaves = np.log2(np.maximum(_FREQUENCIES, 1.0) / 1000)
    inside = np.minimum(_FREQUENCIES / low, high / np.maximum(_FREQUENCIES, 1.0))
    gain = 10 ** (-slope * octaves / 20) * np.minimum(inside, 1.0) ** 3
    signal = np.fft.irfft(spectrum * gain, LENGTH)
    return signal / np.sqrt(np.mean(signal**2))


def swell(rng: np.random.Generator, rate: float, depth: float) -> np.ndarray:
    """Positive envelope that wanders at up to `rate` Hz by `depth` nepers, mean square one."""
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
    """Something struck: three damped modes near `frequency` and a click; `decay` in seconds."""
    t = np.arange(int(6 * decay * RATE)) / RATE
    modes = frequency * rng.uniform(0.6, 1.9, (3, 1))
    phases = rng.uniform(0, 2 * np.pi, (3, 1))
    ringing = np.sin(2 * np.pi * modes * t + phases).sum(axis=0) / 3
    click = rng.standard_normal(len(t)) * np.exp(-t / (decay / 6))
    return ringing * np.exp(-t / decay) + 0.6 * click


def call(rng: np.random.Generator, start: float, end: float, seconds: float) -> np.ndarray:
    """Whistle, bird or gull: a sweep from `start` to `end` Hz with two weaker harmonics."""
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
    """Vehicle driving past: tyre noise and an engine of `pitch` Hz that rise, fall and glide."""
    t = np.arange(LENGTH) / RATE
    closest, width = rng.uniform(-0.2, 1.2), rng.uniform(0.2, 0.5)
    glide = 2 * np.pi * np.cumsum(pitch * (1 - 0.06 * np.tanh((t - closest) / width))) / RATE
    engine = harmonics(glide, 1 / np.arange(1, 9))
    body = noise(rng, 250, rng.uniform(1500, 3000), 3.0) + 0.7 * engine
    return body / (1 + ((t - closest) / width) ** 2)


def repeat(
    rng: np.random.Generator, rate: float, jitter: float, event: Callable[[], np.ndarray]
) -> np.ndarray:
    """Events about `rate` times a second.

    Args:
        rng: Generator.
        rate: Events per second, more than 0.
        jitter: 0 for a clockwork; 1 moves every event by up to a whole period.
        event: Makes the next event, shorter than the second or cut off at its end.

    Returns:
        Sum of the events with levels that differ by a few dB, shape (LENGTH,).
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


def street_traffic(rng: np.random.Generator, city: City) -> np.ndarray:
    """Rumble that breathes slowly, vehicles driving past, rarely a horn."""
    track = 0.5 * noise(rng, 40, 4000, 5 + city.slope) * swell(rng, 2, 0.3)
    for _ in range(rng.integers(1, 3)):
        track += rng.uniform(0.4, 1.2) * pass_by(rng, city.pitch * rng.uniform(60, 130))
    if rng.random() < 0.15:
        horn = city.pitch * rng.uniform(350, 500)
        track += repeat(rng, 0.8, 0.5, lambda: call(rng, horn, horn, 0.4))
    return track


def metro(rng: np.random.Generator, city: City) -> np.ndarray:
    """Rumble of a carriage, joints of the rails in pairs, now and then a squeal."""
    rate = city.tempo * rng.uniform(2, 4)
    frequency = city.pitch * rng.uniform(200, 500)
    joint = np.zeros(int(0.2 * RATE))

    def pair() -> np.ndarray:
        track = joint.copy()
        for begin in (0, int(0.07 * RATE)):
            sound = impact(rng, frequency, 0.02)
            track[begin : begin + len(sound)] += sound
        return track

    track = noise(rng, 40, 1500, 6 + city.slope) * swell(rng, 8, 0.25)
    track += rng.uniform(0.5, 1.5) * repeat(rng, rate, 0.1, pair)
    if rng.random() < 0.35:
        pitch = city.pitch * rng.uniform(1800, 3500)
        track += 0.4 * repeat(rng, 1, 0.5, lambda: call(rng, pitch, 0.9 * pitch, 0.6))
    return track


def park(rng: np.random.Generator, city: City) -> np.ndarray:
    """Wind in the leaves and phrases of birds."""
    track = 0.4 * noise(rng, 60, 1000, 4 + city.slope) * swell(rng, 2, 0.5)
    track += 0.3 * noise(rng, 1500, 7000, 2 + city.slope) * swell(rng, 6, 0.5)
    pitch = city.pitch * rng.uniform(2200, 4500)
    ratio = rng.uniform(0.7, 1.4)
    rate = city.tempo * rng.uniform(2, 8)
    seconds = rng.uniform(0.4, 0.9) / rate
    birds = repeat(rng, rate, 0.3, lambda: call(rng, pitch, ratio * pitch, seconds))
    return track + rng.uniform(0.3, 1.0) * birds


def shopping_mall(rng: np.random.Generator, city: City) -> np.ndarray:
    """Babble of several voices in a large room, sometimes dishes."""
    track = 0.4 * noise(rng, 80, 5000, 4 + city.slope) * swell(rng, 4, 0.2)
    for _ in range(rng.integers(3, 7)):
        pitch = city.pitch * rng.uniform(95, 240)
        voice = repeat(rng, city.tempo * rng.uniform(3, 5.5), 0.3, lambda p=pitch: syllable(rng, p))
        track += rng.uniform(0.3, 1.0) * voice
    if rng.random() < 0.3:
        track += 0.5 * repeat(rng, 2, 0.8, lambda: impact(rng, 3000 * city.pitch, 0.03))
    return _reverberant(rng, track)


def construction_site(rng: np.random.Generator, city: City) -> np.ndarray:
    """A motor and hammering, from single blows to a drill."""
    idle = city.pitch * rng.uniform(40, 90)
    phase = 2 * np.pi * idle * np.arange(LENGTH) / RATE
    motor = harmonics(phase, rng.uniform(-1, 1, 12) / np.arange(1, 13))
    track = 0.4 * noise(rng, 60, 5000, 4 + city.slope) * swell(rng, 3, 0.2) + 0.3 * motor
    rate = city.tempo * 2 ** rng.uniform(1, 4.3)
    frequency = city.pitch * rng.uniform(500, 2500)
    decay = min(0.04, 0.4 / rate)
    blows = repeat(rng, rate, 0.05, lambda: impact(rng, frequency, decay))
    return track + rng.uniform(0.5, 1.5) * blows


def beach(rng: np.random.Generator, city: City) -> np.ndarray:
    """Surf that swells and hisses, wind, sometimes a gull."""
    t = np.arange(LENGTH) / RATE
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (city.tempo * rng.uniform(0.3, 0.8) * t + rng.random()))
    track = noise(rng, 80, 2500, 3 + city.slope) * (0.3 + 0.7 * wave)
    track += 0.7 * noise(rng, 1000, 7500, 2 + city.slope) * wave**2
    if rng.random() < 0.4:
        pitch = city.pitch * rng.uniform(1200, 2200)
        gull = repeat(rng, 2.5, 0.4, lambda: call(rng, pitch, 0.7 * pitch, 0.3))
        track += rng.uniform(0.3, 0.8) * gull
    return track


def _reverberant(rng: np.random.Generator, track: np.ndarray) -> np.ndarray:
    t = np.arange(LENGTH // 2) / RATE
    room = rng.standard_normal(len(t)) * np.exp(-t / 0.12)
    room = room / np.sqrt(np.sum(room**2))
    size = LENGTH + len(room)
    wet = np.fft.irfft(np.fft.rfft(track, size) * np.fft.rfft(room, size), size)[:LENGTH]
    return 0.6 * track + 0.6 * wet


def _stray_event(rng: np.random.Generator) -> np.ndarray:
    """An event that may be heard anywhere."""
    pitch = rng.uniform(0.9, 1.1)
    kinds = (
        lambda: pass_by(rng, 90 * pitch),
        lambda: repeat(rng, 4, 0.3, lambda: syllable(rng, 150 * pitch)),
        lambda: repeat(rng, 4, 0.3, lambda: call(rng, 3000 * pitch, 3500 * pitch, 0.12)),
        lambda: repeat(rng, 3, 0.2, lambda: impact(rng, 900 * pitch, 0.03)),
    )
    return kinds[rng.integers(len(kinds))]()


SCENES: dict[str, Callable[[np.random.Generator, City], np.ndarray]] = {
    scene.__name__: scene
    for scene in (street_traffic, shopping_mall, metro, park, construction_site, beach)
}


def moment(scene: str, city: str, rng: np.random.Generator) -> np.ndarray:
    """What is heard in a place during one second.

    Args:
        scene: One of `SCENES`.
        city: One of `CITIES`.
        rng: Generator; its state determines the sound.

    Returns:
        Pressure with a random RMS of 0.01 to 0.1, shape (LENGTH,).
    """
    track = SCENES[scene](rng, CITIES[city])
    track /= np.sqrt(np.mean(track**2))
    if rng.random() < 0.5:
        track += rng.uniform(0.3, 1.0) * _stray_event(rng)
    track += rng.uniform(0.1, 0.6) * noise(rng, 50, 6000, rng.uniform(1, 6))
    return track / np.sqrt(np.mean(track**2)) * 10 ** rng.uniform(-2, -1)
