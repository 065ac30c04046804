"""Speaker and tempo augmentation: log-mel spectrograms resampled along the mel or time axis."""

import math

import librosa
import numpy as np
import torch
from autrainer.augmentations import AbstractAugmentation

from autrainer_ext.compat import on_features


class VocalTractPerturbation(AbstractAugmentation):
    """Scale the frequencies of a clip, like those of a longer or shorter vocal tract.

    The energy at frequency f moves to a f, with a factor a log-uniform in
    [1 / max_factor, max_factor]. Above a knee at 0.8 * min(a, 1) * limit the map is linear and
    ends at the limit, so that no energy from above the limit is used. Bands above the limit are
    unchanged.

    Args:
        max_factor: Largest factor, at least 1. With 1 nothing changes.
        limit_hz: Upper end of the recorded band in Hz, positive. This frequency does not move.
        fmin: Lower edge of the mel filters in Hz.
        fmax: Upper edge of the mel filters in Hz.
        mel_bins: Number of mel filters. Clips may contain only the lowest of them.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the random draws. Default: the same draws in every process.

    Raises:
        ValueError: If `max_factor` is below 1 or `limit_hz` is not positive.

    Source:
        Jaitly and Hinton (2013), Vocal tract length perturbation (VTLP) improves speech
        recognition, section 2, there on linear frequency and uniform in [0.9, 1.1].
    """

    def __init__(
        self,
        max_factor: float = 1.1,
        limit_hz: float = 8000.0,
        fmin: float = 50.0,
        fmax: float = 8000.0,
        mel_bins: int = 64,
        order: int = 0,
        p: float = 1.0,
        generator_seed: int | None = None,
    ) -> None:
        if max_factor < 1:
            raise ValueError(f"Argument 'max_factor' must be at least 1, got {max_factor}.")
        if limit_hz <= 0:
            raise ValueError(f"Argument 'limit_hz' must be positive, got {limit_hz}.")
        super().__init__(order, p, generator_seed)
        self.max_factor = max_factor
        self.limit_hz = limit_hz
        self.fmin = fmin
        self.fmax = fmax
        self.mel_bins = mel_bins
        self._centres = librosa.mel_frequencies(mel_bins + 2, fmin=fmin, fmax=fmax)[1:-1]

    @on_features
    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Warp the mel axis of `x`, shape (..., frames, mel_bins or fewer)."""
        factor = _log_uniform(self.max_factor, self.g)
        centres = self._centres[: x.shape[-1]]
        source = _unwarped(centres, factor, self.limit_hz)
        return sample_at(x, np.interp(source, self._centres, np.arange(self.mel_bins)), dim=-1)


class TimeStretch(AbstractAugmentation):
    """Change the duration of a clip without changing its frequencies.

    The number of frames is multiplied by a factor, log-uniform in [1 / max_factor, max_factor],
    and rounded, to at least one frame. The first and the last frame are unchanged.

    Args:
        max_factor: Largest factor, at least 1. With 1 nothing changes.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the random draws. Default: the same draws in every process.

    Raises:
        ValueError: If `max_factor` is below 1.

    Source:
        Ko et al. (2015), Audio augmentation for speech recognition, section 2 (tempo), there on
        waveforms with factors 0.9 and 1.1.
    """

    def __init__(
        self,
        max_factor: float = 1.25,
        order: int = 0,
        p: float = 1.0,
        generator_seed: int | None = None,
    ) -> None:
        if max_factor < 1:
            raise ValueError(f"Argument 'max_factor' must be at least 1, got {max_factor}.")
        super().__init__(order, p, generator_seed)
        self.max_factor = max_factor

    @on_features
    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Resample the time axis of `x`, shape (..., frames, mel_bins)."""
        frames = x.shape[-2]
        stretched = max(1, round(frames * _log_uniform(self.max_factor, self.g)))
        return sample_at(x, np.linspace(0, frames - 1, stretched), dim=-2)


def sample_at(x: torch.Tensor, positions: np.ndarray, dim: int) -> torch.Tensor:
    """Interpolate `x` at fractional positions along its last or second-last axis.

    Args:
        x: Shape (..., frames, mel_bins).
        positions: Positions in frames or bins, shape (n,). Values between entries are
            interpolated linearly; positions outside get the value of the nearest entry.
        dim: -2 or -1.

    Returns:
        `x` with n entries along `dim`.

    Example:
        >>> x = torch.tensor([[0.0, 10.0, 30.0]])
        >>> sample_at(x, np.array([0.5, 1.0, 1.5, 9.0]), dim=-1).tolist()
        [[5.0, 10.0, 20.0, 30.0]]
    """
    last = x.shape[dim] - 1
    clamped = torch.as_tensor(positions, dtype=x.dtype).clamp(0, last)
    left = clamped.long()
    weight = (clamped - left).view(-1, *[1] * (-1 - dim))
    right = (left + 1).clamp(max=last)
    return torch.lerp(x.index_select(dim, left), x.index_select(dim, right), weight)


def _unwarped(hz: np.ndarray, factor: float, limit: float) -> np.ndarray:
    """Frequencies in Hz that the warping with `factor` moves to `hz`."""
    knee = 0.8 * limit * min(factor, 1.0)
    slope = (limit - knee / factor) / (limit - knee)
    above = np.where(hz < limit, limit - slope * (limit - hz), hz)
    return np.where(hz <= knee, hz / factor, above)


def _log_uniform(largest: float, generator: torch.Generator) -> float:
    uniform = 2 * torch.rand(1, generator=generator).item() - 1
    return math.exp(uniform * math.log(largest))
