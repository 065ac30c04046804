"""Effects on the waveform: clipping, gain, pitch shift, time stretch.

Conventions: waveforms have shape (N, samples) and full scale [-1, 1]. Random directions (up or
down, faster or slower) are drawn per clip and are the same at every severity. Only `clipping`
limits the amplitude.
"""

import math
from collections.abc import Callable

import torch
from torchaudio.functional import phase_vocoder

_N_FFT_SECONDS = 0.032


def clipping(
    waveform: torch.Tensor, sample_rate: int, ceiling: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Clip amplitudes at a share of each clip's peak.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate in Hz; not used.
        ceiling: Largest remaining amplitude as a share of the peak, in (0, 1].
        generator: Random generator; not used.

    Returns:
        Clipped clips, shape (N, samples).

    Example:
        >>> clipping(torch.tensor([[0.1, -0.4, 0.2]]), 16000, 0.5, generator=torch.Generator())
        tensor([[ 0.1000, -0.2000,  0.2000]])
    """
    limit = ceiling * waveform.abs().amax(dim=1, keepdim=True)
    return waveform.clamp(-limit, limit)


def gain(
    waveform: torch.Tensor, sample_rate: int, decibels: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Change the level by a gain in dB.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate in Hz; not used.
        decibels: Gain in dB; negative values attenuate.
        generator: Random generator; not used.

    Returns:
        Scaled clips, shape (N, samples).

    Example:
        >>> gain(torch.tensor([[0.5, -0.1]]), 16000, -20, generator=torch.Generator())
        tensor([[ 0.0500, -0.0100]])
    """
    return waveform * 10 ** (decibels / 20)


def pitch_shift(
    waveform: torch.Tensor, sample_rate: int, semitones: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Shift the pitch of every clip up or down at random; its length stays.

    A phase vocoder stretches the clip, then resampling restores its length and shifts the pitch.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate in Hz.
        semitones: Size of the shift in semitones, not negative.
        generator: Random generator of the directions.

    Returns:
        Shifted clips, shape (N, samples).

    Example:
        >>> tone = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)[None]
        >>> shifted = pitch_shift(tone, 16000, 12, generator=torch.manual_seed(0))
        >>> int(torch.fft.rfft(shifted).abs().argmax())  # one octave up
        880
    """

    def shift(clips: torch.Tensor, sign: int) -> torch.Tensor:
        stretched = _vocode(clips, sample_rate, 2 ** (-sign * semitones / 12))
        return _resample(stretched, clips.shape[1])

    return _by_sign(waveform, generator, shift)


def time_stretch(
    waveform: torch.Tensor, sample_rate: int, change: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Speed every clip up or slow it down at random; its pitch stays.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate in Hz.
        change: Relative change of speed, in [0, 1): speeds are 1 + change and 1 - change.
        generator: Random generator of the directions.

    Returns:
        Stretched clips, shape (N, length of the longest). Shorter clips are padded with zeros at
        the end.

    Example:
        >>> clip = torch.zeros(1, 16000)
        >>> time_stretch(clip, 16000, 0.25, generator=torch.manual_seed(0)).shape  # faster
        torch.Size([1, 12800])
    """
    return _by_sign(
        waveform, generator, lambda clips, sign: _vocode(clips, sample_rate, 1 + sign * change)
    )


def _vocode(waveform: torch.Tensor, sample_rate: int, rate: float) -> torch.Tensor:
    """Change the speed by the factor `rate` with a phase vocoder, shape (N, samples / rate)."""
    n_fft = 2 ** round(math.log2(_N_FFT_SECONDS * sample_rate))
    window = torch.hann_window(n_fft).to(waveform)
    hop = n_fft // 4
    advance = torch.linspace(0, math.pi * hop, n_fft // 2 + 1).to(waveform)[:, None]
    padded = torch.nn.functional.pad(waveform, (0, max(0, n_fft - waveform.shape[1])))
    spectrum = torch.stft(padded, n_fft, hop, window=window, return_complex=True)
    stretched = phase_vocoder(spectrum, rate, advance)
    length = round(waveform.shape[1] / rate)
    return torch.istft(stretched, n_fft, hop, window=window, length=max(length, 1))


def _resample(waveform: torch.Tensor, length: int) -> torch.Tensor:
    """Resample to `length` samples in the frequency domain, which allows any ratio."""
    spectrum = torch.fft.rfft(waveform)
    bins = length // 2 + 1
    cut = torch.nn.functional.pad(spectrum[:, :bins], (0, max(0, bins - spectrum.shape[1])))
    return torch.fft.irfft(cut, length) * (length / waveform.shape[1])


def _by_sign(
    waveform: torch.Tensor,
    generator: torch.Generator,
    change: Callable[[torch.Tensor, int], torch.Tensor],
) -> torch.Tensor:
    """Apply `change` with a random sign per clip and pad shorter results with zeros."""
    is_up = torch.rand(len(waveform), generator=generator) < 0.5
    parts = {
        sign: change(waveform[rows], sign)
        for sign, rows in ((1, is_up), (-1, ~is_up))
        if rows.any()
    }
    length = max(part.shape[1] for part in parts.values())
    changed = waveform.new_zeros(len(waveform), length)
    for sign, part in parts.items():
        changed[is_up if sign == 1 else ~is_up, : part.shape[1]] = part
    return changed
