"""Size of masks, and random masks of equal size.

A clip consists of bins. Its *level* in a bin is the distance of the features from the baseline,
which is silence: in dB for features in dB, so it is not the power of the audio. A bin is *sounding*
if its level exceeds one thousandth of the highest level of the clip. The size of a mask is stated
in three ways: the share of the bins, of the sounding bins and of the level (`energy`) that it
keeps.

A score of a mask means little without the score of a random mask of the same size, because any
mask that keeps more is more faithful. `equal_masks` draws such masks in one of two ways:

- Explanations of bins: the values of the mask are exchanged among bins of nearly equal level, so
  all three shares stay the same.
- Explanations of segments: the values are exchanged among the sounding segments. Of many random
  exchanges those are taken whose shares are within `TOLERANCE` of the mask, or else the nearest.
  A clip of few segments may have no other mask of this size; the random masks then equal the mask.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

TOLERANCE = 0.02
_SOUNDING = 1e-3  # of the highest level
_EQUAL_LEVELS = 32  # neighbours in the order of the levels that exchange their values
_EXCHANGES = 512


@dataclass(frozen=True)
class KeptShares:
    """Shares that a mask keeps, each in [0, 1]: of all bins, of sounding bins, of the level."""

    bins: float
    sounding: float
    energy: float


def levels(features: torch.Tensor, baseline: float | torch.Tensor) -> torch.Tensor:
    """Distance of features from the baseline.

    Args:
        features: Any shape.
        baseline: Value of silent features, a number or a tensor that can be broadcast.

    Returns:
        Shape of the features, not negative.

    Example:
        >>> levels(torch.tensor([-20.0, -100.0, -101.0]), -100.0)
        tensor([80.,  0.,  1.])
    """
    return (features - torch.as_tensor(baseline).to(features)).abs()


def is_sounding(level: torch.Tensor) -> torch.Tensor:
    """Find bins whose level exceeds one thousandth of the highest level.

    Args:
        level: Levels of one clip, any shape.

    Returns:
        Shape of `level`, bool; all false in a clip of silence.

    Example:
        >>> is_sounding(torch.tensor([80.0, 0.0, 0.01]))
        tensor([ True, False, False])
    """
    return level > _SOUNDING * level.max()


def sounding_segments(segments: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Indices of the segments with at least one sounding bin.

    Args:
        segments: Segment of every bin, shape (frames, mel_bins).
        level: Levels of the clip, shape (channels, frames, mel_bins).

    Returns:
        Ascending, shape (n,), int64.

    Example:
        >>> sounding_segments(torch.tensor([[0, 1, 2]]), torch.tensor([[[5.0, 0.0, 7.0]]]))
        tensor([0, 2])
    """
    return segments[is_sounding(level).any(dim=0).cpu()].unique()


def kept_shares(mask: torch.Tensor, level: torch.Tensor) -> KeptShares:
    """Size of a mask.

    Args:
        mask: Mask of one clip, in [0, 1].
        level: Levels of the clip, shape of the mask.

    Returns:
        Shares of the bins, the sounding bins and the level. Of silence, the share of the bins.

    Example:
        >>> kept_shares(torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.tensor([6.0, 2.0, 0.0, 0.0]))
        KeptShares(bins=0.5, sounding=0.5, energy=0.75)
    """
    kept, weight = mask.double(), level.double()
    bins = float(kept.mean())
    if not bool(weight.any()):
        return KeptShares(bins, bins, bins)
    sounding = float(kept[is_sounding(level)].mean())
    return KeptShares(bins, sounding, float((kept * weight).sum() / weight.sum()))


def equal_masks(
    masks: Mapping[str, torch.Tensor],
    level: torch.Tensor,
    *,
    segments: torch.Tensor | None,
    n_masks: int,
    generator: torch.Generator,
) -> dict[str, list[torch.Tensor]]:
    """Draw random masks of the same size as each of several masks.

    Args:
        masks: Masks of one clip, each of the shape (channels, frames, mel_bins).
        level: Levels of the clip, shape of a mask.
        segments: Segments that the explainer of the masks works on, shape (frames, mel_bins), or
            None if it works on bins.
        n_masks: Number of random masks per mask.
        generator: Source of the random numbers.

    Returns:
        Random masks by the name of the mask whose size they have; see the module for how near
        their size is.

    Example:
        >>> masks, level = {"eye": torch.eye(4)[None]}, torch.ones(1, 4, 4)
        >>> draw = torch.Generator().manual_seed(0)
        >>> (drawn,) = equal_masks(masks, level, segments=None, n_masks=1, generator=draw)["eye"]
        >>> float(drawn.sum()), torch.equal(drawn, masks["eye"])
        (4.0, False)
    """
    if segments is None:
        orders = [_equal_level_order(level, generator) for _ in range(n_masks)]
        return {
            name: [mask.flatten()[order].reshape(mask.shape) for order in orders]
            for name, mask in masks.items()
        }
    return {
        name: _exchange_segments(mask, level, segments, n_masks, generator)
        for name, mask in masks.items()
    }


def _equal_level_order(level: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Bin from which every bin takes its value, one of nearly equal level."""
    flat = level.flatten().cpu()
    n_bins = len(flat)
    # bins of equal level, such as those of silence, are neighbours at random
    by_chance = torch.rand(n_bins, generator=generator).argsort()
    ascending = by_chance[flat[by_chance].argsort(stable=True)]
    blocks = torch.arange(n_bins) // _EQUAL_LEVELS
    shuffled = (blocks + torch.rand(n_bins, generator=generator).double()).argsort()
    order = torch.empty(n_bins, dtype=torch.long)
    order[ascending] = ascending[shuffled]
    return order.to(level.device)


def _exchange_segments(
    mask: torch.Tensor,
    level: torch.Tensor,
    segments: torch.Tensor,
    n_masks: int,
    generator: torch.Generator,
) -> list[torch.Tensor]:
    """Exchange the values of a mask among sounding segments, at nearly equal shares."""
    segments = segments.cpu()
    n_segments = int(segments.max()) + 1
    flat = segments.expand_as(mask).flatten()
    loud = is_sounding(level).flatten().cpu()
    weights = torch.stack(
        [
            torch.bincount(flat, part, minlength=n_segments) / part.sum().clamp(min=1e-12)
            for part in (loud.double(), (level.flatten().cpu()).double())
        ]
    )
    sizes = torch.bincount(flat, minlength=n_segments)
    kept = torch.bincount(flat, mask.flatten().cpu().double(), minlength=n_segments) / sizes
    players = sounding_segments(segments, level)
    chances = torch.rand(_EXCHANGES, len(players), generator=generator)
    values = kept.expand(_EXCHANGES, -1).clone()
    values[:, players] = kept[players][chances.argsort(dim=1)]
    distance = ((values - kept) @ weights.T).abs().amax(dim=1)
    near = (distance <= TOLERANCE).nonzero().flatten()
    if len(near) < n_masks:
        near = distance.argsort(stable=True)
    is_binary = bool(((mask == 0) | (mask == 1)).all())
    return [
        _fill_segments(row, segments, is_binary).expand_as(mask).to(mask)
        for row in values[near[:n_masks]]
    ]


def _fill_segments(values: torch.Tensor, segments: torch.Tensor, is_binary: bool) -> torch.Tensor:
    """Mask with the given share of every segment: of a binary mask its first bins in time."""
    if not is_binary:
        return values[segments]
    flat = segments.flatten()
    order = flat.argsort(stable=True)
    n_bins = torch.bincount(flat, minlength=len(values))
    starts = n_bins.cumsum(0) - n_bins
    place = torch.empty_like(flat)
    place[order] = torch.arange(len(flat)) - starts[flat[order]]
    return (place < (values * n_bins).round()[flat]).double().reshape(segments.shape)
