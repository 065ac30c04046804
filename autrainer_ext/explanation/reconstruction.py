"""Audio of the parts of a recording that a mask keeps and removes, and of what the model never saw.

    mask (frames, bins of the features) -> gain (frequencies, frames) -> STFT times gain -> audio

The STFT is that of the recording, so the original phase is kept. The gain of a frequency is the
average mask of the filters that contain it, weighted with their values at that frequency.
Frequencies without a filter are kept. Frames and bands that a transform cuts off are *unseen*: they
are in neither part. The three parts are as long as the recording and always sum to it; without
a cut, a mask of ones returns the recording.

A transform may choose which frames it cuts off, such as all but the loudest. The features of a part
are computed with the cut of the recording, not with one chosen anew.

The features of the audio of a part differ from the masked features: frames overlap, filters share
frequencies, and a mask of one half halves the amplitude in audio, but the dB range in features.
Comparing the model's outputs for both shows how well the audio represents the explanation.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torchaudio

from autrainer_ext.compat import apply_transform
from autrainer_ext.serving.front_end import FrontEnd, front_end, spectrogram_index


@dataclass(frozen=True)
class Window:
    """Which frames and bands of the spectrogram of a recording became features.

    Attributes:
        start_frame: First frame; negative if frames were added before the recording.
        cuts: What every transform after the spectrogram cut off or added; None if it did neither.
    """

    start_frame: int
    cuts: "tuple[Cut | None, ...]"


@dataclass(frozen=True)
class Cut:
    """Frames and bins that a transform cut off or added.

    Attributes:
        frames: Number of frames cut off at the start; negative if frames were added there.
        bins: The same of bins.
        result: Features after the transform, shape (frames, bins).
    """

    frames: int
    bins: int
    result: torch.Tensor

    def apply(self, features: torch.Tensor) -> torch.Tensor:
        """Cut or pad features, shape (channels, frames, bins), as those of the recording."""
        (before, after), (low, high) = self._places(features)
        padded = self.result.expand(len(features), -1, -1).clone()
        padded[:, after, high] = features[:, before, low]
        return padded

    def undo(self, mask: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Mask of the features before the cut, of the shape of `like`; 0 for what was cut off."""
        (before, after), (low, high) = self._places(like)
        whole = torch.zeros_like(like)
        whole[:, before, low] = mask[:, after, high]
        return whole

    def _places(self, features: torch.Tensor) -> list[tuple[slice, slice]]:
        """Frames, then bins, of the input and of the result that correspond to each other."""
        places = []
        for axis, shift in ((-2, self.frames), (-1, self.bins)):
            start, end = max(shift, 0), max(-shift, 0)
            size = min(features.shape[axis] - start, self.result.shape[axis] - end)
            places.append((slice(start, start + size), slice(end, end + size)))
        return places


@dataclass(frozen=True)
class Parts:
    """Three parts that sum to a recording, each of shape (1, samples).

    Attributes:
        kept: What the mask keeps.
        removed: What the mask removes.
        unseen: What transforms cut off, zero if they cut nothing off.
        window: The cut.
    """

    kept: torch.Tensor
    removed: torch.Tensor
    unseen: torch.Tensor
    window: Window


class Reconstructor:
    """Maps masks of features back to audio.

    Args:
        transforms: All transforms from the recording to the features, in order. Transforms before
            the spectrogram must return one channel of samples. Transforms after it must keep the
            size (scaling), or only cut or pad frames and bins.

    Attributes:
        front_end: Settings of the spectrogram.

    Raises:
        ValueError: If there is not exactly one spectrogram of a known kind.
    """

    def __init__(self, transforms: Sequence) -> None:
        try:
            place = spectrogram_index(transforms)
        except ValueError as error:
            raise ValueError(f"Masks cannot be mapped back to audio: {error}") from error
        self._before, self._spectrogram = list(transforms[:place]), transforms[place]
        self._after = list(transforms[place + 1 :])
        self.front_end = front_end(self._spectrogram)

    def analysed(self, samples: torch.Tensor) -> torch.Tensor:
        """Compute the input of the spectrogram for a recording, shape (1, samples)."""
        for transform in self._before:
            samples = apply_transform(transform, samples)
        return samples

    def rate(self, recording_rate: int) -> int:
        """Sample rate in Hz of the input of the spectrogram, for that of the recording."""
        rates = [getattr(transform, "target_sr", None) for transform in self._before]
        return next((rate for rate in reversed(rates) if rate), recording_rate)

    def split(self, samples: torch.Tensor, mask: torch.Tensor, *, rate: int | None = None) -> Parts:
        """Split a recording into the parts that a mask keeps and removes, and what is unseen.

        Args:
            samples: Recording as input of the first transform, shape (channels, samples).
            mask: Mask of the features, shape (1, frames, bins), in [0, 1].
            rate: Sample rate of the recording in Hz, checked against that of the front end.
                Default: not checked.

        Returns:
            The parts of the input of the spectrogram.

        Raises:
            ValueError: If the recording has another sample rate than the front end, the mask does
                not have the shape of the features, or a transform after the spectrogram cannot be
                inverted.
        """
        if rate is not None and self.rate(rate) != self.front_end.sample_rate:
            raise ValueError(
                f"The recording has {rate} Hz, but the front end needs "
                f"{self.front_end.sample_rate} Hz: resample the recording."
            )
        waveform = self.analysed(samples)
        stages = self._stages(waveform)
        if stages[-1].shape[-2:] != mask.shape[-2:]:
            raise ValueError(
                f"The mask has the shape {tuple(mask.shape)}, the features have "
                f"{tuple(stages[-1].shape)}."
            )
        window = _find_window(stages)
        whole = mask.reshape(1, *mask.shape[-2:]).to(waveform)
        seen = torch.ones_like(whole)
        for cut, earlier in zip(window.cuts[::-1], stages[-2::-1], strict=True):
            if cut is not None:
                whole, seen = (cut.undo(part, earlier[:1]) for part in (whole, seen))
        is_heard = seen[0].amax(dim=1)  # frames
        kept, heard = (
            apply_gain(self.front_end, waveform, frequency_gain(self.front_end, part[0]) * is_heard)
            for part in (whole, seen)
        )
        is_cut = not bool(seen.all())
        unseen = waveform - heard if is_cut else torch.zeros_like(waveform)
        return Parts(kept, waveform - kept - unseen, unseen, window)

    def window(self, samples: torch.Tensor) -> Window:
        """Find which frames and bands of a recording become features.

        Args:
            samples: Recording as input of the first transform, shape (channels, samples).

        Raises:
            ValueError: If a transform after the spectrogram cannot be inverted.
        """
        return _find_window(self._stages(self.analysed(samples)))

    def features(self, waveform: torch.Tensor, window: Window | None = None) -> torch.Tensor:
        """Compute the features of a part, shape (1, frames, bins).

        Args:
            waveform: Part of a recording, shape (1, samples).
            window: Window of the recording, or None to choose one for the part.
        """
        if window is None:
            return self._stages(waveform)[-1]
        features = apply_transform(self._spectrogram, waveform)
        for transform, cut in zip(self._after, window.cuts, strict=True):
            features = apply_transform(transform, features) if cut is None else cut.apply(features)
        return features

    def _stages(self, waveform: torch.Tensor) -> list[torch.Tensor]:
        """Spectrogram, and the features after every transform that follows it."""
        stages = [apply_transform(self._spectrogram, waveform)]
        for transform in self._after:
            stages.append(apply_transform(transform, stages[-1]))
        return stages


def frequency_gain(front_end: FrontEnd, mask: torch.Tensor) -> torch.Tensor:
    """Amplitude gain per frequency and frame for a mask.

    Args:
        front_end: Settings of the spectrogram.
        mask: Shape (..., frames, bins), in [0, 1].

    Returns:
        Shape (..., n_fft // 2 + 1, frames), in [0, 1].

    Example:
        >>> settings = FrontEnd(16000, 4, 2, torch.hann_window(4), filterbank=None)
        >>> frequency_gain(settings, torch.tensor([[1.0, 0.5, 0.0]])).tolist()
        [[1.0], [0.5], [0.0]]
    """
    if front_end.filterbank is not None:
        totals = front_end.filterbank.sum(dim=1, keepdim=True)
        weights = front_end.filterbank / totals.where(totals > 0, 1)
        mask = mask @ weights.T + (totals[:, 0] == 0)
    return mask.transpose(-1, -2).clamp(0, 1)


def apply_gain(front_end: FrontEnd, waveform: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    """Multiply the short-time spectrum of a recording by a gain.

    Args:
        front_end: Settings of the spectrogram.
        waveform: Shape (channels, samples).
        gain: Shape (n_fft // 2 + 1, frames).

    Returns:
        Waveform of the same shape. Samples before the first analysed one are multiplied by the
        average gain of the first frame.

    Example:
        >>> settings = FrontEnd(16000, 4, 2, torch.hann_window(4), filterbank=None)
        >>> half = apply_gain(settings, torch.ones(1, 8), 0.5 * torch.ones(3, 5))
        >>> half.numpy().round(3).tolist()
        [[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]]
    """
    first, analysed = waveform[:, : front_end.n_skipped], waveform[:, front_end.n_skipped :]
    size = front_end.n_fft, front_end.hop_length, len(front_end.window)
    window = front_end.window.to(waveform)
    spectrum = torch.stft(analysed, *size, window=window, return_complex=True) * gain
    filtered = torch.istft(spectrum, *size, window=window, length=analysed.shape[-1])
    return torch.cat([first * gain[:, 0].mean(), filtered], dim=-1)


def griffin_lim(front_end: FrontEnd, energy: torch.Tensor, *, n_iter: int = 32) -> torch.Tensor:
    """Estimate audio from a spectrogram without phase.

    Only for features without a recording: it takes fifty times as long as `Reconstructor`, and the
    result is an approximation. The filterbank is inverted by its pseudo-inverse.

    Args:
        front_end: Settings of the spectrogram.
        energy: Power of every bin before the logarithm, shape (frames, bins), not negative.
        n_iter: Number of iterations.

    Returns:
        Waveform, shape (1, samples).

    Source:
        Griffin and Lim (1984), Signal estimation from modified short-time Fourier transform.
    """
    power = energy.T
    if front_end.filterbank is not None:
        power = torch.linalg.pinv(front_end.filterbank.T) @ power
    return torchaudio.functional.griffinlim(
        power.clamp(min=0)[None],
        window=front_end.window,
        n_fft=front_end.n_fft,
        hop_length=front_end.hop_length,
        win_length=len(front_end.window),
        power=2.0,
        n_iter=n_iter,
        momentum=0.99,
        length=None,
        rand_init=False,
    )


def _find_window(stages: Sequence[torch.Tensor]) -> Window:
    cuts = tuple(_find_cut(earlier[0], later[0]) for earlier, later in itertools.pairwise(stages))
    return Window(sum(cut.frames for cut in cuts if cut is not None), cuts)


def _find_cut(earlier: torch.Tensor, later: torch.Tensor) -> Cut | None:
    if earlier.shape == later.shape:
        return None
    frames, bins = (
        _shift(earlier, later, axis) if earlier.shape[axis] != later.shape[axis] else 0
        for axis in (0, 1)
    )
    return Cut(frames, bins, later)


def _shift(earlier: torch.Tensor, later: torch.Tensor, axis: int) -> int:
    """Number of rows or columns cut off at the start; negative if some were added there."""
    earlier, later = earlier.movedim(axis, 0), later.movedim(axis, 0)
    width = min(earlier.shape[1], later.shape[1])
    earlier, later = earlier[:, :width], later[:, :width]
    longer, shorter = (earlier, later) if len(earlier) > len(later) else (later, earlier)
    for start in range(len(longer) - len(shorter) + 1):
        if torch.equal(longer[start : start + len(shorter)], shorter):
            return start if longer is earlier else -start
    raise ValueError(
        f"Features of the shape {tuple(later.shape)} are not a cut or padded copy of the features "
        f"of the shape {tuple(earlier.shape)}: masks cannot be mapped back to audio."
    )
