"""Filters: recording devices and rooms, band limits, reverberation.

Conventions: waveforms have shape (N, samples). All filters are applied in the frequency domain and
cause no delay.
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
    """Blend each clip with its convolution with the impulse response of a device or a room.

    The response is shifted so that its peak causes no delay, and scaled so that the convolved clip
    has the energy of the original. The difference to the original is proportional to the share.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate of clips and responses in Hz; not used.
        share: Share of the convolved clip, from 0 (original only) to 1 (convolved only).
        generator: Random generator of the choice of a response for each clip.
        sounds: Impulse responses, each of shape (samples,).

    Returns:
        Blended clips, shape (N, samples).

    Example:
        >>> clip, delay = torch.tensor([[0.5, -0.1, 0.3]]), torch.tensor([0.0, 0.0, 1.0])
        >>> impulse_response(clip, 8000, 1.0, generator=torch.manual_seed(0), sounds=[delay])
        tensor([[ 0.5000, -0.1000,  0.3000]])
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
    """Remove high frequencies with a Butterworth response of order 8, without delay.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate in Hz.
        cutoff_hz: Cut-off frequency in Hz, where the attenuation is 3 dB.
        generator: Random generator; not used.

    Returns:
        Filtered clips, shape (N, samples).

    Example:
        >>> tone = torch.sin(2 * torch.pi * 4000 * torch.arange(16000) / 16000)[None]
        >>> filtered = low_pass(tone, 16000, 4000, generator=torch.Generator())
        >>> round(float(20 * torch.log10(filtered.norm() / tone.norm())))  # in dB
        -3
    """
    return _filter(waveform, sample_rate, lambda f: _butterworth(f / cutoff_hz))


def band_limit(
    waveform: torch.Tensor,
    sample_rate: int,
    band_hz: tuple[float, float],
    *,
    generator: torch.Generator,
) -> torch.Tensor:
    """Keep one frequency band, as a telephone does, with Butterworth edges of order 8.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate in Hz.
        band_hz: Lower and upper edge in Hz, where the attenuation is 3 dB.
        generator: Random generator; not used.

    Returns:
        Filtered clips, shape (N, samples).

    Example:
        >>> clip = torch.ones(1, 8000)  # a constant lies below every band
        >>> band_limit(clip, 8000, (300, 3400), generator=torch.Generator()).abs().mean() < 0.05
        tensor(True)
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
    """Add the echoes of a synthetic room: white noise that starts after 3 ms and decays.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate in Hz.
        room: Reverberation time in seconds, in which echoes decay by 60 dB, and the ratio of the
            energies of direct sound and echoes in dB.
        generator: Random generator of the echoes.

    Returns:
        Reverberant clips, shape (N, samples); echoes beyond the end are cut.

    Source:
        Polack (1988), late reverberation as decaying Gaussian noise.

    Example:
        >>> click = torch.zeros(1, 16000)
        >>> click[0, 0] = 1
        >>> echoes = reverberation(click, 16000, (0.4, 6), generator=torch.manual_seed(0)) - click
        >>> round(float(-10 * torch.log10(echoes.square().sum())), 1)  # dB below the click
        6.0
    """
    seconds, direct_db = room
    n_samples = min(waveform.shape[1], max(2, int(seconds * sample_rate)))
    # noise of the full clip length is drawn, so that all severities share one room
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
    # torchaudio's fftconvolve takes ten times as long if the sum of the lengths is a prime
    n_fft = _fast_length(waveform.shape[1] + response.shape[1])
    return torch.fft.irfft(torch.fft.rfft(waveform, n_fft) * torch.fft.rfft(response, n_fft), n_fft)


def _filter(
    waveform: torch.Tensor, sample_rate: int, response: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    # the padding takes up the ringing, which would wrap around to the start of the clip
    n_fft = _fast_length(waveform.shape[1] + sample_rate // 10)
    frequencies = torch.fft.rfftfreq(n_fft, 1 / sample_rate).to(waveform)
    spectrum = torch.fft.rfft(waveform, n_fft) * response(frequencies)
    return torch.fft.irfft(spectrum, n_fft)[:, : waveform.shape[1]]


def _butterworth(relative: torch.Tensor) -> torch.Tensor:
    return (1 + relative.double() ** 16).rsqrt().to(relative)


def _fast_length(n: int) -> int:
    """Round up to a multiple of a large power of two, for fast transforms."""
    unit = 2 ** max(0, n.bit_length() - 3)
    return -(-n // unit) * unit
