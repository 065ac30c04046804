"""The front end of a model: its transforms, their sample rate, and the axes of its features."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import audobject
import librosa
import torch
from autrainer.transforms import PannMel

from autrainer_ext.transforms import LogSpectrogram

_SAVED = ("preprocess_pipeline.yaml", "inference_transform.yaml")


@dataclass(frozen=True)
class FrontEnd:
    """Settings of a log spectrogram of the host or of this package.

    Attributes:
        sample_rate: Sampling rate of the recording in Hz.
        n_fft: Length of the Fourier transform in samples.
        hop_length: Step between frames in samples.
        window: Analysis window, shape (win_length,).
        filterbank: Weight of every frequency in every bin, shape (n_fft // 2 + 1, bins), or None
            where bins are frequencies.
        n_skipped: Samples at the start of the recording that are not analysed.
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    window: torch.Tensor
    filterbank: torch.Tensor | None
    n_skipped: int = 0

    @property
    def frame_seconds(self) -> float:
        """Time from one frame to the next."""
        return self.hop_length / self.sample_rate

    @property
    def axes(self) -> dict[str, object]:
        """Both axes, as the functions of `autrainer_ext.plotting.spectrogram` take them."""
        return {"frame_seconds": self.frame_seconds, "frequencies_hz": self.frequencies_hz.numpy()}

    @property
    def frequencies_hz(self) -> torch.Tensor:
        """Centre of every bin in Hz: the mean frequency of its filter, shape (bins,)."""
        frequencies = torch.linspace(0, self.sample_rate / 2, self.n_fft // 2 + 1)
        if self.filterbank is None:
            return frequencies
        totals = self.filterbank.sum(dim=0).clamp(min=torch.finfo(torch.float32).tiny)
        return frequencies @ self.filterbank / totals


def read_transforms(directory: Path) -> list:
    """Transforms from the recording to the features that a run or model directory saved.

    Args:
        directory: Run or model directory.

    Returns:
        The transforms in their order; those of a missing file are left out.
    """
    paths = [directory / name for name in _SAVED if (directory / name).is_file()]
    return [t for path in paths for t in audobject.from_yaml(str(path)).transforms]


def stated_rate(transforms: Iterable[object]) -> int | None:
    """Sample rate in Hz of the first transform that states one, or None."""
    rates = (getattr(transform, "sample_rate", None) for transform in transforms)
    return next((rate for rate in rates if rate), None)


def spectrogram_index(transforms: Sequence) -> int:
    """Position of the log spectrogram among the transforms.

    Raises:
        ValueError: If there is not exactly one of a known kind.
    """
    places = [i for i, t in enumerate(transforms) if isinstance(t, LogSpectrogram | PannMel)]
    if len(places) != 1:
        names = ", ".join(type(transform).__name__ for transform in transforms) or "nothing"
        raise ValueError(f"The pipeline has {len(places)} log spectrograms, expected 1 ({names}).")
    return places[0]


def find_front_end(transforms: Sequence) -> FrontEnd | None:
    """Settings of the log spectrogram among the transforms; None if there is not exactly one."""
    try:
        return front_end(transforms[spectrogram_index(transforms)])
    except ValueError:
        return None


def front_end(transform: object) -> FrontEnd:
    """Read the settings of a transform.

    Args:
        transform: `LogSpectrogram`, `LogMelSpectrogram` or the host's `PannMel`.

    Raises:
        ValueError: If it is none of these.
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
        f"{type(transform).__name__} is not a log spectrogram of a known kind: LogSpectrogram, "
        "LogMelSpectrogram or PannMel."
    )
