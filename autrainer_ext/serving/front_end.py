"""Front ends: the transforms from recording to features, their sample rate and their axes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import torch
from autrainer.transforms import PannMel

from autrainer_ext.transforms import LogSpectrogram
from autrainer_ext.trust import load_description

Transform = Callable[[torch.Tensor], torch.Tensor]
_SAVED = ("preprocess_pipeline.yaml", "inference_transform.yaml")


@dataclass(frozen=True)
class FrontEnd:
    """Settings of a log spectrogram.

    Attributes:
        sample_rate: Sample rate of the recording in Hz.
        n_fft: Length of the Fourier transform in samples.
        hop_length: Distance between frames in samples.
        window: Analysis window, shape (win_length,).
        filterbank: Weight of each frequency in each bin, shape (n_fft // 2 + 1, bins), or None
            if the bins are frequencies.
        n_skipped: Number of samples at the start of the recording that are not analysed.
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    window: torch.Tensor
    filterbank: torch.Tensor | None
    n_skipped: int = 0

    @property
    def frame_seconds(self) -> float:
        """Time from one frame to the next, in seconds."""
        return self.hop_length / self.sample_rate

    @property
    def axes(self) -> dict[str, Any]:
        """Time and frequency axes, as keyword arguments of the spectrogram plots."""
        return {"frame_seconds": self.frame_seconds, "frequencies_hz": self.frequencies_hz.numpy()}

    @property
    def frequencies_hz(self) -> torch.Tensor:
        """Centre of each bin in Hz: the mean frequency of its filter, shape (bins,)."""
        frequencies = torch.linspace(0, self.sample_rate / 2, self.n_fft // 2 + 1)
        if self.filterbank is None:
            return frequencies
        totals = self.filterbank.sum(dim=0).clamp(min=torch.finfo(torch.float32).tiny)
        return frequencies @ self.filterbank / totals


def read_transforms(directory: Path) -> list[Transform]:
    """Read the transforms from recording to features that a directory contains.

    Args:
        directory: Run or model directory.

    Returns:
        Transforms in the order in which they are applied; a missing file contributes none.

    Raises:
        ValueError: If a file names anything but known classes, or cannot be read.
    """
    paths = [directory / name for name in _SAVED if (directory / name).is_file()]
    return [t for path in paths for t in load_description(path).transforms]


def stated_rate(transforms: Iterable[object]) -> int | None:
    """Sample rate in Hz of the first transform that has one, or None."""
    rates = (getattr(transform, "sample_rate", None) for transform in transforms)
    return next((rate for rate in rates if rate), None)


def spectrogram_index(transforms: Sequence[object]) -> int:
    """Position of the log spectrogram among the transforms.

    Args:
        transforms: Transforms from recording to features, in order.

    Raises:
        ValueError: If the transforms do not contain exactly one log spectrogram of a known class.
    """
    places = [i for i, t in enumerate(transforms) if isinstance(t, LogSpectrogram | PannMel)]
    if len(places) != 1:
        names = ", ".join(type(transform).__name__ for transform in transforms) or "nothing"
        raise ValueError(f"The front end has {len(places)} log spectrograms, expected 1 ({names}).")
    return places[0]


def find_front_end(transforms: Sequence[object]) -> FrontEnd | None:
    """Settings of the log spectrogram among the transforms, or None if there is not exactly one."""
    try:
        return front_end(transforms[spectrogram_index(transforms)])
    except ValueError:
        return None


def front_end(transform: object) -> FrontEnd:
    """Settings of a log spectrogram of this package or of the host.

    Args:
        transform: `LogSpectrogram`, `LogMelSpectrogram` or the host's `PannMel`.

    Raises:
        ValueError: If the transform has another class.
    """
    if isinstance(transform, LogSpectrogram):
        window = {"hann": torch.hann_window, "hamming": torch.hamming_window}[transform.window]
        return FrontEnd(
            transform.sample_rate,
            transform.n_fft,
            transform.hop_length,
            window(transform.win_length, periodic=transform.periodic),
            transform.filterbank,
            n_skipped=1 if transform.preemphasis else 0,
        )
    if isinstance(transform, PannMel):
        filterbank = librosa.filters.mel(
            sr=transform.sample_rate,
            n_fft=transform.window_size,
            n_mels=transform.mel_bins,
            fmin=transform.fmin,
            fmax=transform.fmax,
        )
        return FrontEnd(
            transform.sample_rate,
            transform.window_size,
            transform.hop_size,
            torch.hann_window(transform.window_size),
            torch.from_numpy(filterbank).T,
        )
    raise ValueError(
        f"Transform {type(transform).__name__} is not a known log spectrogram. Choose from: "
        "LogSpectrogram, LogMelSpectrogram, PannMel."
    )
