"""Effects on the waveform: clipping, gain, pitch shift, time stretch.

Waveforms have shape (N, samples) and full scale [-1, 1]. Random signs are drawn per clip, the same
at every severity. Only `clipping` limits the amplitude.
"""

import math
from collections.abc import Callable

import torch
from torchaudio.functional import phase_vocoder

_N_FFT_SECONDS = 0.032


def clipping(
    waveform: torch.Tensor, sample_rate: int, ceiling: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Cut off what is louder than a share of the clip's own peak.

    Args:
        waveform: Shape (N, samples).
        sample_rate: Not needed.
        ceiling: Share of the peak, in (0, 1].
        generator: Not used.

    Returns:
        Shape (N, samples).
    """
    limit = ceiling * waveform.abs().amax(dim=1, keepdim=True)
    return waveform.clamp(-limit, limit)


def gain(
    waveform: torch.Tensor, sample_rate: int, decibels: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Change the level.

    Args:
        waveform: Shape (N, samples).
        sample_rate: Not needed.
        decibels: Added to the level.
        generator: Not used.

    Returns:
        Shape (N, samples).
    """
    return waveform * 10 ** (decibels / 20)


def pitch_shift(
    waveform: torch.Tensor, sample_rate: int, semitones: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Raise or lower the pitch of every clip, at random, and keep its length.

    A phase vocoder changes the duration, a resampling changes it back.

    Args:
        waveform: Shape (N, samples).
        sample_rate: In Hz.
        semitones: Size of the shift, not negative.
        generator: Of the signs.

    Returns:
        Shape (N, samples).
    """

    def shift(clips: torch.Tensor, sign: int) -> torch.Tensor:
        stretched = _vocode(clips, sample_rate, 2 ** (-sign * semitones / 12))
        return _resample(stretched, clips.shape[1])

    return _by_sign(waveform, generator, shift)


def time_stretch(
    waveform: torch.Tensor, sample_rate: int, change: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Make every clip faster or slower, at random, at the same pitch.

    Args:
        waveform: Shape (N, samples).
        sample_rate: In Hz.
        change: Speeds are 1 + change and 1 - change, in [0, 1).
        generator: Of the signs.

    Returns:
        Shape (N, longer), as long as the slow clips; the fast ones end in zeros where both occur.
    """
    return _by_sign(
        waveform, generator, lambda clips, sign: _vocode(clips, sample_rate, 1 + sign * change)
    )


def _vocode(waveform: torch.Tensor, sample_rate: int, rate: float) -> torch.Tensor:
    """Play `rate` times as fast at the same pitch, shape (N, samples / rate)."""
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
    """Band-limited, to `length` samples: any ratio, where kernels need a simple one."""
    spectrum = torch.fft.rfft(waveform)
    bins = length // 2 + 1
    cut = torch.nn.functional.pad(spectrum[:, :bins], (0, max(0, bins - spectrum.shape[1])))
    return torch.fft.irfft(cut, length) * (length / waveform.shape[1])


def _by_sign(
    waveform: torch.Tensor,
    generator: torch.Generator,
    change: Callable[[torch.Tensor, int], torch.Tensor],
) -> torch.Tensor:
    """Change clips with a random sign each; shorter results get zeros at the end."""
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
