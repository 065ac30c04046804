"""Folders of noises or impulse responses as waveforms."""

from pathlib import Path

import soundfile
import torch
import torchaudio


def read_sounds(directory: Path | str, sample_rate: int) -> list[torch.Tensor]:
    """Read every recording of a folder.

    Args:
        directory: Folder with WAV, FLAC, OGG or MP3 files; other files are left out.
        sample_rate: Rate in Hz they are brought to.

    Returns:
        Waveforms of one channel, shape (samples,), in the order of the names.

    Raises:
        ValueError: If the folder does not exist, holds no such file, or a file cannot be read, is
            silent or not finite.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise ValueError(f"Folder of sounds '{directory}' does not exist.")
    files = sorted(
        path
        for path in directory.iterdir()
        if path.suffix.lower() in (".wav", ".flac", ".ogg", ".mp3")
    )
    if not files:
        raise ValueError(f"Folder '{directory}' holds no sounds.")
    return [_read(path, sample_rate) for path in files]


def _read(path: Path, sample_rate: int) -> torch.Tensor:
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"'{path}' cannot be read as audio: {error.error_string}") from error
    sound = torch.from_numpy(samples.mean(axis=1))
    if not sound.isfinite().all() or not sound.any():
        raise ValueError(f"'{path}' holds no sound.")
    return torchaudio.functional.resample(sound, rate, sample_rate)
