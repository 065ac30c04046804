"""Synthetic acoustic scenes: one second at 16 kHz from the sounds of `toy_sounds`.

The scenes overlap on purpose. All have a textured background with a random slope, share kinds of
events, and sometimes contain an event of another scene. As in real scenes, the classes differ in
how fast and how regularly the texture changes, and in how often which events occur.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .toy_sounds import (
    LENGTH,
    RATE,
    call,
    harmonics,
    impact,
    noise,
    pass_by,
    repeat,
    swell,
    syllable,
)


@dataclass(frozen=True)
class City:
    """Acoustic differences of the scenes of a city.

    Args:
        slope: Change of the slope of every background in dB per octave.
        tempo: Factor of the rates of events.
        pitch: Factor of the frequencies of events.
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


def street_traffic(rng: np.random.Generator, city: City) -> np.ndarray:
    """Slowly varying rumble, passing vehicles, rarely a horn."""
    track = 0.5 * noise(rng, 40, 4000, 5 + city.slope) * swell(rng, 2, 0.3)
    for _ in range(rng.integers(1, 3)):
        track += rng.uniform(0.4, 1.2) * pass_by(rng, city.pitch * rng.uniform(60, 130))
    if rng.random() < 0.15:
        horn = city.pitch * rng.uniform(350, 500)
        track += repeat(rng, 0.8, 0.5, lambda: call(rng, horn, horn, 0.4))
    return track


def metro(rng: np.random.Generator, city: City) -> np.ndarray:
    """Rumble of a carriage, pairs of rail joints, sometimes a squeal."""
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
    track += rng.uniform(1.0, 2.5) * repeat(rng, rate, 0.1, pair)
    if rng.random() < 0.35:
        pitch = city.pitch * rng.uniform(1800, 3500)
        track += 0.4 * repeat(rng, 1, 0.5, lambda: call(rng, pitch, 0.9 * pitch, 0.6))
    return track


def park(rng: np.random.Generator, city: City) -> np.ndarray:
    """Wind in the leaves and bird song."""
    track = 0.4 * noise(rng, 60, 1000, 4 + city.slope) * swell(rng, 2, 0.5)
    track += 0.3 * noise(rng, 1500, 7000, 2 + city.slope) * swell(rng, 6, 0.5)
    pitch = city.pitch * rng.uniform(2200, 4500)
    ratio = rng.uniform(0.7, 1.4)
    rate = city.tempo * rng.uniform(2, 8)
    seconds = rng.uniform(0.4, 0.9) / rate
    birds = repeat(rng, rate, 0.3, lambda: call(rng, pitch, ratio * pitch, seconds))
    return track + rng.uniform(0.5, 1.2) * birds


def shopping_mall(rng: np.random.Generator, city: City) -> np.ndarray:
    """Babble of several voices in a large room, sometimes clinking dishes."""
    track = 0.4 * noise(rng, 80, 5000, 4 + city.slope) * swell(rng, 4, 0.2)
    for _ in range(rng.integers(2, 5)):
        pitch = city.pitch * rng.uniform(95, 240)
        voice = repeat(rng, city.tempo * rng.uniform(3, 5.5), 0.3, partial(syllable, rng, pitch))
        track += rng.uniform(0.5, 1.2) * voice
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
    return track + rng.uniform(1.0, 2.5) * blows


def beach(rng: np.random.Generator, city: City) -> np.ndarray:
    """Surf, wind, sometimes a gull."""
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
    """Event that may occur in any scene."""
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
    """Synthesise one second of a scene in a city.

    Args:
        scene: One of `SCENES`.
        city: One of `CITIES`.
        rng: Random generator; its state determines the sound.

    Returns:
        Pressure with a random RMS of 0.02 to 0.08, shape (LENGTH,).
    """
    track = SCENES[scene](rng, CITIES[city])
    track /= np.sqrt(np.mean(track**2))
    if rng.random() < 0.3:
        track += rng.uniform(0.3, 0.8) * _stray_event(rng)
    track += rng.uniform(0.05, 0.3) * noise(rng, 50, 6000, rng.uniform(1, 6))
    return track / np.sqrt(np.mean(track**2)) * 10 ** rng.uniform(-1.7, -1.1)
