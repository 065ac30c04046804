"""Read folders of noise recordings or impulse responses."""

from pathlib import Path

import soundfile
import torch

from .audio_files import UnusableFileError
from .resampling import resample


def read_sounds(directory: Path | str, sample_rate: int) -> list[torch.Tensor]:
    """Read all recordings of a folder as waveforms with one channel.

    Args:
        directory: Folder with WAV, FLAC, OGG or MP3 files; other files are ignored.
        sample_rate: Sample rate of the result in Hz; recordings are resampled.

    Returns:
        Waveforms, shape (samples,) each, sorted by file name.

    Raises:
        ValueError: If the folder does not exist or contains no audio files, or if a recording
            cannot be read, is silent or has values that are not finite.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise ValueError(f"Folder of recordings '{directory}' does not exist.")
    files = sorted(
        path
        for path in directory.iterdir()
        if path.suffix.lower() in (".wav", ".flac", ".ogg", ".mp3")
    )
    if not files:
        raise ValueError(f"Folder '{directory}' contains no WAV, FLAC, OGG or MP3 files.")
    return [_read(path, sample_rate) for path in files]


def _read(path: Path, sample_rate: int) -> torch.Tensor:
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"File '{path}' cannot be read as audio: {error.error_string}") from error
    sound = torch.from_numpy(samples.mean(axis=1))
    if not sound.isfinite().all() or not sound.any():
        raise ValueError(f"Recording '{path}' is silent or has values that are not finite.")
    try:
        return resample(sound, rate, sample_rate)
    except UnusableFileError as error:
        raise ValueError(f"File '{path}' cannot be used: {error}.") from error
