"""Filters: recording devices and rooms, band limits, reverberation.

Waveforms have shape (N, samples). All filters act in the frequency domain and cause no delay.
"""

from collections.abc import Callable, Sequence

import torch

_MEAN_FREE_DELAY = 0.003


def impulse_response(
    waveform: torch.Tensor,
    sample_rate: int,
    share: float,
    *,
    generator: torch.Generator,
    sounds: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Replace a share of the clip by the clip as a device or a room would record it.

    The response is shifted so that its peak causes no delay, and scaled so that the clip keeps its
    energy. The difference to the clip is proportional to the share.

    Args:
        waveform: Shape (N, samples).
        sample_rate: That of the responses too.
        share: From 0, the clip, to 1, the recording.
        generator: Of the choice of a response.
        sounds: Responses, each of shape (samples,).

    Returns:
        Shape (N, samples).
    """
    recorded = torch.empty_like(waveform)
    chosen = torch.randint(len(sounds), (len(waveform),), generator=generator).tolist()
    for which in set(chosen):
        rows = [row for row, index in enumerate(chosen) if index == which]
        recorded[rows] = _record(waveform[rows], sounds[which].to(waveform))
    return waveform + share * (recorded - waveform)


def low_pass(
    waveform: torch.Tensor, sample_rate: int, cutoff_hz: float, *, generator: torch.Generator
) -> torch.Tensor:
    """Remove high frequencies: a Butterworth response of order 8, without delay.

    Args:
        waveform: Shape (N, samples).
        sample_rate: In Hz.
        cutoff_hz: Where 3 dB are lost.
        generator: Not used.

    Returns:
        Shape (N, samples).
    """
    return _filter(waveform, sample_rate, lambda f: _butterworth(f / cutoff_hz))


def band_limit(
    waveform: torch.Tensor,
    sample_rate: int,
    band_hz: tuple[float, float],
    *,
    generator: torch.Generator,
) -> torch.Tensor:
    """Keep a band of frequencies as a telephone does, with Butterworth edges of order 8.

    Args:
        waveform: Shape (N, samples).
        sample_rate: In Hz.
        band_hz: Lower and upper edge, where 3 dB are lost.
        generator: Not used.

    Returns:
        Shape (N, samples).
    """
    low, high = band_hz
    return _filter(
        waveform,
        sample_rate,
        lambda f: _butterworth(f / high) * _butterworth(low / f.clamp(min=1e-3)),
    )


def reverberation(
    waveform: torch.Tensor,
    sample_rate: int,
    room: tuple[float, float],
    *,
    generator: torch.Generator,
) -> torch.Tensor:
    """Add the echoes of a made-up room: white noise that decays exponentially after 3 ms.

    Args:
        waveform: Shape (N, samples).
        sample_rate: In Hz.
        room: Seconds in which echoes lose 60 dB, and energy of the direct sound over theirs in dB.
        generator: Of the echoes.

    Returns:
        Shape (N, samples); what rings on after the end is cut.

    Source:
        Polack (1988): late reverberation as decaying Gaussian noise.
    """
    seconds, direct_db = room
    n_samples = min(waveform.shape[1], max(2, int(seconds * sample_rate)))
    # drawn as long as the clip, so that all severities have the same room
    noise = torch.randn(waveform.shape, generator=generator, dtype=waveform.dtype)[:, :n_samples]
    time = torch.arange(n_samples, dtype=waveform.dtype) / sample_rate
    echoes = noise * 10 ** (-3 * time / seconds) * (time >= _MEAN_FREE_DELAY)
    energy = echoes.square().sum(dim=1, keepdim=True)
    echoes = echoes * (10 ** (-direct_db / 10) / energy.clamp(min=1e-12)).sqrt()
    return waveform + _convolve(waveform, echoes)[:, : waveform.shape[1]]


def _record(waveform: torch.Tensor, response: torch.Tensor) -> torch.Tensor:
    peak = int(response.abs().argmax())
    recorded = _convolve(waveform, response[None])[:, peak : peak + waveform.shape[1]]
    before = torch.linalg.vector_norm(waveform, dim=1, keepdim=True)
    after = torch.linalg.vector_norm(recorded, dim=1, keepdim=True)
    return recorded * (before / after.clamp(min=1e-12)) * response[peak].sign()


def _convolve(waveform: torch.Tensor, response: torch.Tensor) -> torch.Tensor:
    # torchaudio's fftconvolve takes ten times as long where the sum of lengths is a prime
    n_fft = _fast_length(waveform.shape[1] + response.shape[1])
    return torch.fft.irfft(torch.fft.rfft(waveform, n_fft) * torch.fft.rfft(response, n_fft), n_fft)


def _filter(
    waveform: torch.Tensor, sample_rate: int, response: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    n_fft = _fast_length(waveform.shape[1] + sample_rate // 10)  # a tail for the wrapped ringing
    frequencies = torch.fft.rfftfreq(n_fft, 1 / sample_rate).to(waveform)
    spectrum = torch.fft.rfft(waveform, n_fft) * response(frequencies)
    return torch.fft.irfft(spectrum, n_fft)[:, : waveform.shape[1]]


def _butterworth(relative: torch.Tensor) -> torch.Tensor:
    return (1 + relative.double() ** 16).rsqrt().to(relative)


def _fast_length(n: int) -> int:
    """The next length that is a multiple of a large power of two, for fast transforms."""
    unit = 2 ** max(0, n.bit_length() - 3)
    return -(-n // unit) * unit
