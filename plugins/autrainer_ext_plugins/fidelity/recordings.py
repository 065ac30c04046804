"""Recordings to explain, noise that is mixed with them, and the way back to audio."""

from collections.abc import Sequence
from pathlib import Path

import audiofile
import numpy as np
import torch

from autrainer_ext.corruptions.noise import contaminate, draw_white_noise
from autrainer_ext.explanation.reconstruction import Reconstructor
from autrainer_ext.serving.audio_files import UnusableFileError
from autrainer_ext.serving.clip_reader import ClipReader
from autrainer_ext.serving.front_end import find_front_end
from autrainer_ext.serving.resampling import resample

from .tables import CLEAN

_WHITE_SECONDS = 10


def read_noises(names: Sequence[str], rate: int, seed: int) -> dict[str, torch.Tensor | None]:
    """Read the noises that clips are mixed with.

    Args:
        names: Paths of audio files, or "white" for 10 s of white noise.
        rate: Sample rate of the recordings in Hz, to which files are resampled.
        seed: Seed of white noise.

    Returns:
        Noises by the stem of their file, shape (1, samples), after `CLEAN`, which is None.

    Raises:
        ValueError: If two noises have the same name, or a file is silent or not audio.
    """
    noises: dict[str, torch.Tensor | None] = {CLEAN: None}
    for path in names:
        name = Path(path).stem
        if name in noises:
            raise ValueError(f"Two noises are called '{name}'.")
        noises[name] = _read_noise(path, rate, seed)
    return noises


def _read_noise(path: str, rate: int, seed: int) -> torch.Tensor:
    if path == "white":
        return draw_white_noise(_WHITE_SECONDS * rate, seed=seed)
    try:
        samples, own_rate = audiofile.read(path, always_2d=True)
    except (RuntimeError, OSError) as error:
        raise ValueError(f"Noise '{path}' is not readable as audio.") from error
    mono = torch.from_numpy(np.ascontiguousarray(samples)).mean(dim=0, keepdim=True)
    try:
        mono = resample(mono, own_rate, rate)
    except UnusableFileError as error:
        raise ValueError(f"Noise '{path}' cannot be used: {error}.") from error
    if not bool(mono.any()):
        raise ValueError(f"Noise '{path}' is silent.")
    return mono


def mix(samples: torch.Tensor, noise: torch.Tensor | None, alpha: float) -> torch.Tensor:
    """Mix a recording with noise; without noise the recording is returned.

    Args:
        samples: Samples of the recording, shape (channels, samples).
        noise: Noise, shape (1, samples), or None.
        alpha: Share of the recording in the mixture, in (0, 1].

    Returns:
        Mixture of the shape of `samples`.

    Raises:
        UnusableFileError: If the recording cannot be mixed.
    """
    if noise is None:
        return samples
    try:
        return contaminate(samples, noise, alpha=alpha)
    except ValueError as error:
        raise UnusableFileError(f"cannot be mixed: {error}") from error


def tested_reconstructor(reader: ClipReader) -> Reconstructor:
    """Reconstructor after a trial: whether cuts can be inverted shows only on audio.

    Args:
        reader: Front end of a model.

    Raises:
        ValueError: If masks cannot be mapped back to audio.
    """
    reconstructor = Reconstructor(reader.transforms)
    samples = draw_white_noise(2 * reader.rate)
    reconstructor.split(samples, torch.ones_like(reader.features(samples)[0, :1]))
    return reconstructor


def heard_seconds(reader: ClipReader) -> float:
    """Length of the window that a model hears of longer recordings, in seconds.

    Args:
        reader: Front end of the model.

    Raises:
        ValueError: If the model hears whole recordings, or has no known spectrogram.
    """
    front_end = find_front_end(reader.transforms)
    if front_end is None:
        raise ValueError("Windows of recordings need a front end with one log spectrogram.")
    short, long = (
        reader.features(draw_white_noise(seconds * reader.rate)).shape[-2] for seconds in (20, 40)
    )
    if short != long:
        raise ValueError("The model hears whole recordings: there are no windows to explain.")
    return short * front_end.hop_length / front_end.sample_rate
