"""Samples and features of one recording at a time, read through the front end of a model."""

from pathlib import Path

import audiofile
import torch

from .audio_files import UnusableFileError, check_file
from .audio_reader import AudioReader, brief


class ClipReader(AudioReader):
    """Samples and features of one recording at a time."""

    @property
    def rate(self) -> int:
        """Sample rate of the recordings in Hz.

        Raises:
            ValueError: If the model does not state one.
        """
        if self.sample_rate is None:
            raise ValueError("The model does not state the sample rate of its recordings.")
        return self.sample_rate

    def seconds(self, path: Path) -> float:
        """Length of a file in seconds.

        Raises:
            UnusableFileError: If the file cannot be read.
        """
        check_file(str(path))
        try:
            return audiofile.duration(path)
        except RuntimeError as error:
            raise UnusableFileError(f"not readable as audio: {brief(error)}") from error

    def recording(self, path: Path, window: tuple[float, float] | None = None) -> torch.Tensor:
        """Read the samples of a file, shape (channels, samples).

        Args:
            path: Audio file.
            window: Start and length in seconds of what is read, or None for the whole file.

        Raises:
            UnusableFileError: If the file cannot be read, or not in windows, or all samples are
                equal.
        """
        check_file(str(path))
        samples = self._load(str(path), window)
        if bool((samples == samples[..., :1]).all()):
            raise UnusableFileError("silent: all samples are equal")
        return samples

    def features(self, samples: torch.Tensor) -> torch.Tensor:
        """Compute the features of a recording, shape (1, channels, frames, mel_bins).

        Raises:
            UnusableFileError: If the features cannot be computed or are not a finite spectrogram.
        """
        features = self._features(samples)
        if features.ndim != 4 or not torch.isfinite(features).all():
            what = f"of the shape {tuple(features.shape)}" if features.ndim != 4 else "not finite"
            raise UnusableFileError(f"its features are {what}")
        return features
