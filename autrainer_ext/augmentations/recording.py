"""Other segmentations, microphones and backgrounds, on log-mel spectrograms in decibels."""

import math

import torch
from autrainer.augmentations import AbstractAugmentation

_NATS_PER_DECIBEL = math.log(10) / 10


class EdgeCut(AbstractAugmentation):
    """Cut random numbers of frames off both ends, as a hasty segmentation does, two draws.

    At most an eighth of the clip goes on one side, so that clips shorter than 8 frames stay.

    Args:
        max_frames: Most frames on one side, not negative.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the draws. Default: the same draws in every process.

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

    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Shorten `x`, shape (..., frames, mel_bins)."""
        frames = x.shape[-2]
        cuts = torch.randint(self.max_frames + 1, (2,), generator=self.g)
        before, after = cuts.clamp(max=frames // 8).tolist()
        return x[..., before : frames - after, :]


class SurroundingSilence(AbstractAugmentation):
    """Put a random number of silent frames before and after a clip, two separate draws.

    Args:
        max_frames: Most frames on one side, not negative.
        level: Value of silence in dB. Default: that of zeros under the hosts' log-mel front
            ends, whose smallest power is 1e-10.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the draws. Default: the same draws in every process.

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

    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Lengthen `x`, shape (..., frames, mel_bins)."""
        before, after = torch.randint(self.max_frames + 1, (2,), generator=self.g).tolist()
        return torch.nn.functional.pad(x, (0, 0, before, after), value=self.level)


class RandomEqualiser(AbstractAugmentation):
    """Add a smooth random curve over frequency, as another microphone or room would.

    The curve is piecewise linear on the mel axis between Gaussian values in dB.

    Args:
        std_db: Standard deviation of the values at the nodes in dB, not negative.
        nodes: Number of evenly spaced nodes, at least 2.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the draws. Default: the same draws in every process.

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

    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Change the gains of `x`, shape (..., frames, mel_bins), in dB."""
        return x + self.std_db * _random_curve(x.shape[-1], self.nodes, self.g)


class NoiseFloor(AbstractAugmentation):
    """Add stationary noise of random level and colour.

    The power of the noise in a bin is exponentially distributed, as that of a Gaussian noise at
    one frequency, around a mean that lies `snr` below the loudest bin of the clip plus a smooth
    random curve over frequency. Powers add up: y = 10 log10(10^(x / 10) + 10^(noise / 10)).

    Args:
        min_snr: Smallest distance from the loudest bin to the mean noise in dB.
        max_snr: Largest distance in dB, not below `min_snr`; uniform in between.
        std_db: Standard deviation of the nodes of the curve in dB, not negative. 0 is white
            on the mel axis.
        nodes: Number of nodes of the curve, at least 2.
        order: Position in the pipeline.
        p: Probability of changing a clip.
        generator_seed: Seed of the draws. Default: the same draws in every process.

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
            raise ValueError(f"min_snr {min_snr} exceeds max_snr {max_snr}.")
        _check_curve(std_db, nodes)
        super().__init__(order, p, generator_seed)
        self.min_snr = min_snr
        self.max_snr = max_snr
        self.std_db = std_db
        self.nodes = nodes

    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Raise the floor of `x`, shape (..., frames, mel_bins), in dB."""
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
        raise ValueError(f"max_frames must not be negative, got {max_frames}.")


def _check_curve(std_db: float, nodes: int) -> None:
    if std_db < 0:
        raise ValueError(f"std_db must not be negative, got {std_db}.")
    if nodes < 2:
        raise ValueError(f"A curve needs at least 2 nodes, got {nodes}.")
