"""Attributions that do not depend on the model: the floor of every measure."""

import zlib

import torch
from torch import nn

from autrainer_ext.explanation.segments import Segmenter

from .contract import Attributor, attributor


@attributor
def random(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """Draw standard normal numbers, one per bin or, with a segmenter, one per segment.

    Explanations of segments remove whole sounds, those of bins remove scattered bins, so each kind
    has its own floor. The numbers depend on the features of the clip and on the seed.

    Args:
        model: Not used.
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64; not used.
        segmenter: Function that divides a clip into segments, or None for one number per bin.
        seed: Seed of the numbers.

    Returns:
        Attributions, shape of `features`.

    Example:
        >>> features, target = torch.zeros(1, 1, 2, 2), torch.tensor([0])
        >>> one, two = (random(nn.Identity(), features, target, seed=seed) for seed in (0, 0))
        >>> torch.equal(one, two)
        True
    """
    maps = []
    for sample in features:
        generator = clip_generator(sample, seed)
        if segmenter is None:
            drawn = torch.randn(sample.shape, generator=generator)
        else:
            segments = segmenter(sample.cpu())
            drawn = torch.randn(int(segments.max()) + 1, generator=generator)[segments]
        maps.append(drawn.to(sample).expand_as(sample))
    return torch.stack(maps)


def permuted(attribute: Attributor, *, seed: int = 0) -> Attributor:
    """Make an attributor that returns the attributions of another in random order.

    The values, and thus sparseness and complexity, stay the same; their positions are random.

    Args:
        attribute: Attributor whose attributions are shuffled.
        seed: Seed of the order, which also depends on the features of the clip.

    Returns:
        Attributor.

    Example:
        >>> shuffled = permuted(lambda model, features, target: features)
        >>> features = torch.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> shuffled(nn.Identity(), features, torch.tensor([0])).sort().values.tolist()
        [[[[1.0, 2.0, 3.0]]]]
    """

    @attributor
    def shuffled(
        model: nn.Module, features: torch.Tensor, target: torch.Tensor, **settings: object
    ) -> torch.Tensor:
        maps = attribute(model, features, target, **settings)
        orders = [
            torch.randperm(sample.numel(), generator=clip_generator(sample, seed))
            for sample in features
        ]
        order = torch.stack(orders).to(maps.device)
        return maps.flatten(1).gather(1, order).reshape(maps.shape)

    return shuffled


def clip_generator(sample: torch.Tensor, seed: int) -> torch.Generator:
    """Generator of random numbers that depends on one clip and the seed, but not on the batch.

    Args:
        sample: Features of the clip.
        seed: Seed.

    Example:
        >>> draw = clip_generator(torch.zeros(1, 2, 2), 0)
        >>> draw.initial_seed() == clip_generator(torch.zeros(1, 2, 2), 0).initial_seed()
        True
    """
    content = sample.cpu().contiguous().numpy().tobytes()
    return torch.Generator().manual_seed(zlib.crc32(content, seed))
