"""Samples and features of one recording at a time, read through the front end of a model."""

from pathlib import Path

import torch

from .audio_files import UnusableFileError, check_file
from .audio_reader import AudioReader


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

    def recording(self, path: Path) -> torch.Tensor:
        """Read the samples of a file, shape (channels, samples).

        Raises:
            UnusableFileError: If the file cannot be read, or all samples are equal.
        """
        check_file(str(path))
        samples = self._load(str(path))
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
