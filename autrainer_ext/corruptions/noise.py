"""Noise at a given level: white or recorded.

Conventions: waveforms have shape (N, samples) and full scale [-1, 1]. `white_noise` and
`recorded_noise` are corruptions: every clip draws its own noise from the generator, the same noise
at every signal-to-noise ratio, and silent clips stay silent. `contaminate` mixes one recording
with one given noise and rejects silence.
"""

import math
from collections.abc import Sequence

import torch


def white_noise(
    waveform: torch.Tensor,
    sample_rate: int,
    snr_db: float,
    *,
    generator: torch.Generator,
    uniform: bool = False,
) -> torch.Tensor:
    """Add white noise at a signal-to-noise ratio.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate in Hz; not used.
        snr_db: Ratio of the energies of a clip and its noise, in dB.
        generator: Random generator of the noise.
        uniform: Whether the noise is uniform instead of Gaussian. Default: False.

    Returns:
        Noisy clips, shape (N, samples).

    Example:
        >>> clip = torch.ones(1, 16000)
        >>> noise = white_noise(clip, 16000, 20, generator=torch.manual_seed(0)) - clip
        >>> round(float(10 * torch.log10(clip.square().sum() / noise.square().sum())), 3)
        20.0
    """
    draw = torch.rand if uniform else torch.randn
    noise = draw(waveform.shape, generator=generator, dtype=waveform.dtype)
    return _mix(waveform, noise - 0.5 if uniform else noise, snr_db)


def recorded_noise(
    waveform: torch.Tensor,
    sample_rate: int,
    snr_db: float,
    *,
    generator: torch.Generator,
    sounds: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Add a random section of a random recording at a signal-to-noise ratio.

    Args:
        waveform: Clips, shape (N, samples).
        sample_rate: Sample rate of clips and recordings in Hz; not used.
        snr_db: Ratio of the energies of a clip and its noise, in dB.
        generator: Random generator of the choice of recordings and sections.
        sounds: Recordings of noise, each of shape (samples,); short ones are repeated.

    Returns:
        Noisy clips, shape (N, samples).

    Example:
        >>> clip, hum = torch.ones(1, 4), torch.tensor([0.5])
        >>> recorded_noise(clip, 16000, 20, generator=torch.manual_seed(0), sounds=[hum])
        tensor([[1.1000, 1.1000, 1.1000, 1.1000]])
    """
    return _mix(waveform, _sections(sounds, waveform, generator), snr_db)


def contaminate(samples: torch.Tensor, noise: torch.Tensor, *, alpha: float = 0.6) -> torch.Tensor:
    """Mix a recording with noise in fixed shares and keep the peak of the recording.

    y = alpha x / rms(x) + (1 - alpha) n / rms(n), scaled to the peak of x. The signal-to-noise
    ratio is 20 log10(alpha / (1 - alpha)) dB, which is 3.5 dB for alpha = 0.6. In the published
    study all recordings have a peak of one. All channels share one level and one noise.

    Args:
        samples: Recording x, shape (channels, samples).
        noise: Noise n at the same sample rate, shape (1, any number of samples); repeated or cut
            to the length of the recording.
        alpha: Share of the recording, in (0, 1]. Default: 0.6.

    Returns:
        Noisy recording, shape of `samples`.

    Raises:
        ValueError: If `alpha` is out of range, or the recording or the noise is silent.

    Example:
        >>> contaminate(torch.tensor([[1.0, -1.0]]), torch.tensor([[3.0, 3.0]]), alpha=0.75)
        tensor([[ 1.0000, -0.5000]])
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"Argument 'alpha' must be in (0, 1], got {alpha}.")
    n_samples = samples.shape[-1]
    repeats = -(-n_samples // max(noise.shape[-1], 1))
    noise = noise.repeat(1, repeats)[:, :n_samples]
    level, noise_level = (part.square().mean().sqrt() for part in (samples, noise))
    if not level > 0 or not noise_level > 0:
        silent = "recording" if not level > 0 else "noise"
        raise ValueError(f"A silent {silent} cannot be mixed at a level.")
    mixed = alpha * samples / level + (1 - alpha) * noise / noise_level
    return mixed / mixed.abs().max() * samples.abs().max()


def draw_white_noise(n_samples: int, *, seed: int = 0) -> torch.Tensor:
    """Draw Gaussian white noise of unit variance.

    Args:
        n_samples: Number of samples.
        seed: Seed of the noise. Default: 0.

    Returns:
        Noise, shape (1, n_samples).

    Example:
        >>> noise = draw_white_noise(16000)
        >>> noise.shape, round(float(noise.std()), 1)
        (torch.Size([1, 16000]), 1.0)
    """
    return torch.randn(1, n_samples, generator=torch.Generator().manual_seed(seed))


def _mix(waveform: torch.Tensor, noise: torch.Tensor, snr_db: float) -> torch.Tensor:
    # torchaudio's add_noise returns nan for silent noise
    signal = torch.linalg.vector_norm(waveform, dim=1, keepdim=True)
    disturbance = torch.linalg.vector_norm(noise, dim=1, keepdim=True)
    scale = signal / disturbance.clamp(min=1e-12) * 10 ** (-snr_db / 20)
    return waveform + scale * noise


def _sections(
    sounds: Sequence[torch.Tensor], waveform: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Draw one random section per clip, shape of `waveform`."""
    parts = []
    for _ in range(len(waveform)):
        sound = sounds[int(torch.randint(len(sounds), (), generator=generator))].to(waveform)
        start = int(torch.randint(len(sound), (), generator=generator))
        missing = waveform.shape[1] + start - len(sound)
        repeated = sound.repeat(1 + math.ceil(max(missing, 0) / len(sound)))
        parts.append(repeated[start : start + waveform.shape[1]])
    return torch.stack(parts)
