"""Noise at a given level: white or recorded.

Waveforms have shape (N, samples) and full scale [-1, 1]. Every clip draws its own noise from the
generator, the same at every signal-to-noise ratio. Silent clips stay silent.
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
    """Add white noise at a ratio of energies.

    Args:
        waveform: Shape (N, samples).
        sample_rate: Not needed, white is white.
        snr_db: Energy of the clip over that of its noise.
        generator: Of the noise.
        uniform: Whether the noise is uniform instead of Gaussian.

    Returns:
        Shape (N, samples).
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
    """Add a random stretch of a random recording at a ratio of energies.

    Args:
        waveform: Shape (N, samples).
        sample_rate: That of the recordings too.
        snr_db: Energy of the clip over that of its noise.
        generator: Of recording and position.
        sounds: Recordings, each of shape (samples,); short ones are repeated.

    Returns:
        Shape (N, samples).
    """
    return _mix(waveform, _stretches(sounds, waveform, generator), snr_db)


def contaminate(samples: torch.Tensor, noise: torch.Tensor, *, alpha: float = 0.6) -> torch.Tensor:
    """Mix a recording with noise at a fixed level.

    y = alpha x / rms(x) + (1 - alpha) n / rms(n), brought to the peak of x. The ratio of signal to
    noise is 20 log10(alpha / (1 - alpha)) dB: 3.5 dB for 0.6. The published study has all
    recordings at a peak of one.

    Args:
        samples: Recording x, shape (channels, samples).
        noise: Noise n of the same sampling rate, shape (1, any number of samples); repeated or cut
            to the length of the recording.
        alpha: Share of the recording, in (0, 1].

    Returns:
        Shape of `samples`.

    Raises:
        ValueError: If `alpha` is out of its range, or recording or noise are silent.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be in (0, 1], got {alpha}.")
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
    """Draw Gaussian white noise of unit variance, shape (1, n_samples)."""
    return torch.randn(1, n_samples, generator=torch.Generator().manual_seed(seed))


def _mix(waveform: torch.Tensor, noise: torch.Tensor, snr_db: float) -> torch.Tensor:
    # torchaudio's add_noise turns noise that is silent into nan
    signal = torch.linalg.vector_norm(waveform, dim=1, keepdim=True)
    disturbance = torch.linalg.vector_norm(noise, dim=1, keepdim=True)
    scale = signal / disturbance.clamp(min=1e-12) * 10 ** (-snr_db / 20)
    return waveform + scale * noise


def _stretches(
    sounds: Sequence[torch.Tensor], waveform: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """One random stretch per clip, shape of `waveform`."""
    parts = []
    for _ in range(len(waveform)):
        sound = sounds[int(torch.randint(len(sounds), (), generator=generator))].to(waveform)
        start = int(torch.randint(len(sound), (), generator=generator))
        missing = waveform.shape[1] + start - len(sound)
        repeated = sound.repeat(1 + math.ceil(max(missing, 0) / len(sound)))
        parts.append(repeated[start : start + waveform.shape[1]])
    return torch.stack(parts)
