"""Augmentations of segmentation, microphone and background, on log-mel spectrograms in dB."""

import math

import torch
from autrainer.augmentations import AbstractAugmentation

from autrainer_ext.compat import on_features

_NATS_PER_DECIBEL = math.log(10) / 10


class EdgeCut(AbstractAugmentation):
    """Cut a random number of frames off each end, as an imprecise segmentation does.

    At most an eighth of the clip is cut at each end; clips shorter than 8 frames are unchanged.

    Args:
        max_frames: Maximum number of frames to cut at each end, not negative.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the random draws. Default: the same draws in every process.

    Raises:
        ValueError: If `max_frames` is negative.
    """

    def __init__(
        self,
        max_frames: int = 5,
        order: int = 0,
        p: float = 1.0,
        generator_seed: int | None = None,
    ) -> None:
        _check_frames(max_frames)
        super().__init__(order, p, generator_seed)
        self.max_frames = max_frames

    @on_features
    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Shorten `x`, shape (..., frames, mel_bins)."""
        frames = x.shape[-2]
        cuts = torch.randint(self.max_frames + 1, (2,), generator=self.g)
        before, after = cuts.clamp(max=frames // 8).tolist()
        return x[..., before : frames - after, :]


class SurroundingSilence(AbstractAugmentation):
    """Add a random number of silent frames before and after a clip, drawn independently.

    Args:
        max_frames: Maximum number of frames to add at each end, not negative.
        level: Value of silence in dB. Default: digital silence in the hosts' log-mel front ends,
            whose smallest power is 1e-10.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the random draws. Default: the same draws in every process.

    Raises:
        ValueError: If `max_frames` is negative.
    """

    def __init__(
        self,
        max_frames: int = 30,
        level: float = -100.0,
        order: int = 0,
        p: float = 1.0,
        generator_seed: int | None = None,
    ) -> None:
        _check_frames(max_frames)
        super().__init__(order, p, generator_seed)
        self.max_frames = max_frames
        self.level = level

    @on_features
    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Lengthen `x`, shape (..., frames, mel_bins)."""
        before, after = torch.randint(self.max_frames + 1, (2,), generator=self.g).tolist()
        return torch.nn.functional.pad(x, (0, 0, before, after), value=self.level)


class RandomEqualiser(AbstractAugmentation):
    """Add a smooth random gain curve over frequency, like that of another microphone or room.

    The curve interpolates linearly on the mel axis between nodes with Gaussian gains in dB.

    Args:
        std_db: Standard deviation of the gains at the nodes in dB, not negative.
        nodes: Number of evenly spaced nodes, at least 2.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the random draws. Default: the same draws in every process.

    Raises:
        ValueError: If `std_db` is negative or there are fewer than two nodes.

    Source:
        Nam et al. (2022), FilterAugment: an acoustic environmental data augmentation method,
        section 2.2 (linear type), there with uniform gains between random band edges.
    """

    def __init__(
        self,
        std_db: float = 4.0,
        nodes: int = 6,
        order: int = 0,
        p: float = 1.0,
        generator_seed: int | None = None,
    ) -> None:
        _check_curve(std_db, nodes)
        super().__init__(order, p, generator_seed)
        self.std_db = std_db
        self.nodes = nodes

    @on_features
    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Add the curve to `x`, levels in dB, shape (..., frames, mel_bins)."""
        return x + self.std_db * _random_curve(x.shape[-1], self.nodes, self.g)


class NoiseFloor(AbstractAugmentation):
    """Add stationary noise of random level and colour.

    The noise power in a bin is exponentially distributed, like that of Gaussian noise at one
    frequency. Its mean is the loudest bin of the clip, minus a random `snr` in dB, plus a smooth
    random curve over frequency. Powers add: y = 10 log10(10^(x / 10) + 10^(noise / 10)).

    Args:
        min_snr: Lower limit of the distance from the loudest bin to the mean noise in dB.
        max_snr: Upper limit of the distance in dB, at least `min_snr`; uniformly distributed.
        std_db: Standard deviation of the nodes of the curve in dB, not negative. With 0 the noise
            is white on the mel axis.
        nodes: Number of nodes of the curve, at least 2.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the random draws. Default: the same draws in every process.

    Raises:
        ValueError: If `min_snr` exceeds `max_snr`, `std_db` is negative or there are fewer than
            two nodes.
    """

    def __init__(
        self,
        min_snr: float = 15.0,
        max_snr: float = 60.0,
        std_db: float = 5.0,
        nodes: int = 4,
        order: int = 0,
        p: float = 1.0,
        generator_seed: int | None = None,
    ) -> None:
        if min_snr > max_snr:
            raise ValueError(
                f"Argument 'min_snr' must not exceed max_snr, got {min_snr} and {max_snr}."
            )
        _check_curve(std_db, nodes)
        super().__init__(order, p, generator_seed)
        self.min_snr = min_snr
        self.max_snr = max_snr
        self.std_db = std_db
        self.nodes = nodes

    @on_features
    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Add noise to `x`, levels in dB, shape (..., frames, mel_bins)."""
        span = self.max_snr - self.min_snr
        snr = self.min_snr + span * torch.rand(1, generator=self.g).item()
        colour = self.std_db * _random_curve(x.shape[-1], self.nodes, self.g)
        loudest = x.max()
        mean_power = torch.exp((colour - snr) * _NATS_PER_DECIBEL)
        noise = -torch.log1p(-torch.rand(x.shape, generator=self.g)) * mean_power
        power = torch.exp((x - loudest) * _NATS_PER_DECIBEL) + noise
        return power.log() / _NATS_PER_DECIBEL + loudest


def _random_curve(length: int, nodes: int, generator: torch.Generator) -> torch.Tensor:
    values = torch.randn(1, 1, nodes, generator=generator)
    curve = torch.nn.functional.interpolate(values, length, mode="linear", align_corners=True)
    return curve[0, 0]


def _check_frames(max_frames: int) -> None:
    if max_frames < 0:
        raise ValueError(f"Argument 'max_frames' must not be negative, got {max_frames}.")


def _check_curve(std_db: float, nodes: int) -> None:
    if std_db < 0:
        raise ValueError(f"Argument 'std_db' must not be negative, got {std_db}.")
    if nodes < 2:
        raise ValueError(f"Argument 'nodes' must be at least 2, got {nodes}.")
