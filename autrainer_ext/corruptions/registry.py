"""Named corruptions with severities from 1 to 5.

Conventions: every clip draws its own noise, room or direction of the pitch shift. With the same
seed these are the same at every severity; only the strength grows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from autrainer_ext.errors import unknown_name

from .effects import clipping, gain, pitch_shift, time_stretch
from .filters import band_limit, impulse_response, low_pass, reverberation
from .noise import recorded_noise, white_noise

Level = float | tuple[float, float] | list[float]


@dataclass(frozen=True)
class Corruption:
    """Corruption with its strength at every severity.

    Attributes:
        function: Function of `noise`, `filters` or `effects` that corrupts clips.
        levels: Strength at severity 1, 2 and so on. From a list, each call draws one value.
        needs: Kind of recordings that the argument `sounds` of the function must hold, "noises"
            or "responses", or None if there is no such argument.
    """

    function: Callable[..., torch.Tensor]
    levels: tuple[Level, ...]
    needs: str | None = None


CORRUPTIONS: dict[str, Corruption] = {
    "white_noise": Corruption(white_noise, (25, 20, 15, 10, 5)),
    "recorded_noise": Corruption(recorded_noise, (20, 15, 10, 5, 0), needs="noises"),
    "impulse_response": Corruption(impulse_response, (0.2, 0.4, 0.6, 0.8, 1), needs="responses"),
    "low_pass": Corruption(low_pass, (3400, 2600, 2000, 1500, 1000)),
    "band_limit": Corruption(
        band_limit, ((150, 4000), (250, 3600), (350, 3000), (450, 2400), (550, 1900))
    ),
    "clipping": Corruption(clipping, (0.5, 0.3, 0.15, 0.07, 0.03)),
    "gain": Corruption(gain, (-6, -12, -20, -30, -40)),
    "pitch_shift": Corruption(pitch_shift, (1, 2, 3, 4, 6)),
    "time_stretch": Corruption(time_stretch, (0.06, 0.12, 0.2, 0.28, 0.36)),
    "reverberation": Corruption(
        reverberation, ((0.2, 8), (0.35, 5), (0.5, 2), (0.8, -1), (1.2, -4))
    ),
}


def _steps(low: float, high: float, step: float) -> list[float]:
    return [low + i * step for i in range(round((high - low) / step) + 1)]


# Shao (2025), DHAuDS, lib/constants.py. The ranges of levels 1 and 2 overlap: level 2 is not
# always the harder one.
_DHAUDS_SNR = _steps(6, 7, 0.5), _steps(5, 7, 0.5)
DHAUDS: dict[str, Corruption] = {
    "dhauds_white_noise": Corruption(white_noise, _DHAUDS_SNR),
    "dhauds_uniform_noise": Corruption(partial(white_noise, uniform=True), _DHAUDS_SNR),
    "dhauds_recorded_noise": Corruption(
        recorded_noise, (_steps(5, 6, 0.5), _steps(5, 7, 0.5)), needs="noises"
    ),
    "dhauds_pitch_shift": Corruption(pitch_shift, (_steps(4, 5, 1), _steps(5, 7, 1))),
    "dhauds_time_stretch": Corruption(
        time_stretch, (_steps(0.04, 0.06, 0.01), _steps(0.08, 0.12, 0.01))
    ),
}
ALL_CORRUPTIONS = CORRUPTIONS | DHAUDS


def corrupt(
    waveform: torch.Tensor,
    sample_rate: int,
    name: str,
    severity: int,
    *,
    seed: int,
    sounds: Sequence[torch.Tensor] = (),
) -> torch.Tensor:
    """Corrupt clips with a named corruption at a severity.

    Args:
        waveform: Clips, shape (N, samples), full scale [-1, 1].
        sample_rate: Sample rate in Hz.
        name: Name of the corruption, one of `ALL_CORRUPTIONS`.
        severity: Severity from 1 to 5, or from 1 to 2 for the presets of DHAuDS; the highest is
            the strongest.
        seed: Seed of the random draws.
        sounds: Recordings of noise or impulse responses at the same sample rate, for corruptions
            that need them. Default: none.

    Returns:
        Corrupted clips, shape (N, samples); `time_stretch` changes the number of samples.

    Raises:
        ValueError: If the corruption or severity does not exist, the shape is wrong, or the
            corruption needs sounds and none are given.

    Example:
        >>> corrupt(torch.tensor([[0.5, -1.0, 0.2]]), 16000, "clipping", 2, seed=0)
        tensor([[ 0.3000, -0.3000,  0.2000]])
    """
    if name not in ALL_CORRUPTIONS:
        raise unknown_name("corruption", name, ALL_CORRUPTIONS)
    corruption = ALL_CORRUPTIONS[name]
    if not 1 <= severity <= len(corruption.levels):
        raise ValueError(
            f"The severity of '{name}' must be in 1 to {len(corruption.levels)}, got {severity}."
        )
    if waveform.ndim != 2 or waveform.shape[1] == 0:
        raise ValueError(f"Expected clips of shape (N, samples), got {tuple(waveform.shape)}.")
    options = {}
    if corruption.needs:
        if not sounds:
            raise ValueError(f"Corruption '{name}' needs {corruption.needs}: none were given.")
        options = {"sounds": sounds}
    generator = torch.Generator().manual_seed(seed)
    level = corruption.levels[severity - 1]
    if isinstance(level, list):
        level = level[int(torch.randint(len(level), (), generator=generator))]
    return corruption.function(waveform, sample_rate, level, generator=generator, **options)
