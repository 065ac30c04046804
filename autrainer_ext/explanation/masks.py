"""Masks made of attributions: which bins an explanation keeps, and how much of them.

Attributions have the shape (N, channels, frames, mel_bins), masks the same with values in [0, 1];
every sample is masked on its own. `topK_k` keeps k per cent of the bins, `pos_thresh_t` those
above t per cent of the maximum, `_pos` looks at positive attributions alone.

Source:
    "Constructing post-hoc interpretations for audio classification models", coursework24, with
    the masks of L-MAC, Paissan, Ravanelli and Subakan (2024), Listenable maps for audio
    classifiers.

Departures, all undone by `source_compatible=True`:
    The published top-k masks keep everything not below a quantile. Where fewer than k per cent of
    the bins are positive, that quantile of the positive part is 0 and the `_pos` mask keeps every
    bin. Here bins are ranked, exactly ceil(k n / 100) of them are kept (of equal ones those that
    come first in time, then in frequency), and `_pos` keeps positive bins only.
    The published sigmoids are taken of raw attributions; of small ones they are one half
    everywhere. Here attributions are divided by their standard deviation first, and `sigmoid_pos`
    runs from 0 to 1 instead of from one half.
    A map of equal or of not finite values explains nothing, and keeps nothing here.

`minmax` and `sigmoid` of signed maps put zero attribution somewhere in between: half of a bin
without evidence is kept, by definition.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial

import torch

from autrainer_ext.errors import unknown_name

_SHARES = (5, 30, 50)
_THRESHOLDS = (25, 50, 75)


class _Maps:
    """Maps of attributions and what several masks need of them, computed once."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values
        self.lowest = values.amin(dim=(1, 2, 3), keepdim=True)
        self.highest = values.amax(dim=(1, 2, 3), keepdim=True)

    @cached_property
    def positive(self) -> torch.Tensor:
        return self.values.clamp(min=0)

    @cached_property
    def order(self) -> torch.Tensor:
        """Bins from the largest attribution down, shape (N, bins)."""
        return self.values.flatten(1).argsort(dim=1, descending=True, stable=True)


def _minmax(maps: _Maps) -> torch.Tensor:
    return (maps.values - maps.lowest) / (maps.highest - maps.lowest)


def _sigmoid(maps: _Maps) -> torch.Tensor:
    return torch.sigmoid(maps.values / maps.values.std(dim=(1, 2, 3), keepdim=True))


def _positive_sigmoid(maps: _Maps) -> torch.Tensor:
    deviation = maps.positive.std(dim=(1, 2, 3), keepdim=True)
    return 2 * torch.sigmoid(maps.positive / deviation.where(deviation > 0, 1)) - 1


def _positive(maps: _Maps) -> torch.Tensor:
    return (maps.values > 0).to(maps.values.dtype)


def _positive_minmax(maps: _Maps) -> torch.Tensor:
    return maps.positive / maps.highest.where(maps.highest > 0, 1)


def _above(maps: _Maps, *, percent: int) -> torch.Tensor:
    return (_positive_minmax(maps) >= percent / 100).to(maps.values.dtype)


def _top(maps: _Maps, *, percent: int) -> torch.Tensor:
    n_kept = -(-maps.order.shape[1] * percent // 100)
    kept = torch.zeros_like(maps.values.flatten(1))
    return kept.scatter_(1, maps.order[:, :n_kept], 1).reshape(maps.values.shape)


def _positive_top(maps: _Maps, *, percent: int) -> torch.Tensor:
    return _top(maps, percent=percent) * _positive(maps)


def _published_minmax(maps: _Maps) -> torch.Tensor:
    return (maps.values - maps.lowest) / (maps.highest - maps.lowest + 1e-8)


def _published_positive_minmax(maps: _Maps) -> torch.Tensor:
    return maps.positive / (maps.highest + 1e-8)


def _published_above(maps: _Maps, *, percent: int) -> torch.Tensor:
    return (_published_positive_minmax(maps) >= percent / 100).to(maps.values.dtype)


def _not_below_quantile(values: torch.Tensor, percent: int) -> torch.Tensor:
    # torch.quantile takes at most 2 ** 24 values, whatever the number of samples
    limits = [torch.quantile(one.flatten(), 1 - percent / 100) for one in values]
    return (values >= torch.stack(limits).view(-1, 1, 1, 1)).to(values.dtype)


def _published_top(maps: _Maps, *, percent: int) -> torch.Tensor:
    return _not_below_quantile(maps.values, percent)


def _published_positive_top(maps: _Maps, *, percent: int) -> torch.Tensor:
    return _not_below_quantile(maps.positive, percent)


Mask = Callable[[_Maps], torch.Tensor]

MASKS: dict[str, Mask] = {
    "minmax": _minmax,
    "sigmoid": _sigmoid,
    "bin": _positive,
    **{f"topK_{percent}": partial(_top, percent=percent) for percent in _SHARES},
    "minmax_pos": _positive_minmax,
    "sigmoid_pos": _positive_sigmoid,
    **{f"pos_thresh_{percent}": partial(_above, percent=percent) for percent in _THRESHOLDS},
    **{f"topK_{percent}_pos": partial(_positive_top, percent=percent) for percent in _SHARES},
}

_PUBLISHED: dict[str, Mask] = MASKS | {
    "minmax": _published_minmax,
    "sigmoid": lambda maps: torch.sigmoid(maps.values),
    **{f"topK_{percent}": partial(_published_top, percent=percent) for percent in _SHARES},
    "minmax_pos": _published_positive_minmax,
    "sigmoid_pos": lambda maps: torch.sigmoid(maps.positive),
    **{
        f"pos_thresh_{percent}": partial(_published_above, percent=percent)
        for percent in _THRESHOLDS
    },
    **{
        f"topK_{percent}_pos": partial(_published_positive_top, percent=percent)
        for percent in _SHARES
    },
}


def make_masks(
    attributions: torch.Tensor,
    names: Sequence[str] = tuple(MASKS),
    *,
    source_compatible: bool = False,
) -> dict[str, torch.Tensor]:
    """Turn attributions into masks.

    Args:
        attributions: Shape (N, channels, frames, mel_bins).
        names: Names of masks, of `MASKS`.
        source_compatible: Whether masks are made as published, see the module.

    Returns:
        Mask of every name, in the shape of the attributions, in [0, 1]. Samples that explain
        nothing (`explains_nothing`) keep nothing, unless `source_compatible`.

    Raises:
        ValueError: If a name is unknown or the attributions have another number of axes.
    """
    if attributions.ndim != 4:
        raise ValueError(
            "attributions must have the shape (samples, channels, frames, mel_bins), got "
            f"{tuple(attributions.shape)}."
        )
    unknown = [name for name in names if name not in MASKS]
    if unknown:
        raise unknown_name("mask", unknown[0], MASKS)
    if source_compatible:
        maps = _Maps(attributions)
        return {name: _PUBLISHED[name](maps) for name in names}
    nothing = explains_nothing(attributions).view(-1, 1, 1, 1)
    maps = _Maps(torch.where(nothing, 0.0, attributions))
    return {name: torch.where(nothing, 0.0, MASKS[name](maps)) for name in names}


def explains_nothing(attributions: torch.Tensor) -> torch.Tensor:
    """Which samples have maps of equal or of not finite values, shape (N,), bool."""
    flat = attributions.flatten(1)
    return ~flat.isfinite().all(dim=1) | (flat.amax(dim=1) == flat.amin(dim=1))


def apply_mask(
    features: torch.Tensor, mask: torch.Tensor, baseline: float | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Part of the features that a mask keeps and part that it removes.

    kept = baseline + mask (features - baseline), removed = baseline + (1 - mask) (features -
    baseline). Bins kept whole are the features bit by bit, silenced ones the baseline. The
    features are logarithmic: half a bin is half of its distance from silence in dB, not half of
    its energy, and what is heard of a soft mask is something else (`reconstruction`).

    Args:
        features: Any shape.
        mask: Same shape, in [0, 1].
        baseline: Features of silence, a number or a tensor that can be broadcast.

    Returns:
        Kept and removed part, each of the shape of the features.
    """
    silence = torch.as_tensor(baseline, dtype=features.dtype).expand_as(features)
    return torch.lerp(silence, features, mask), torch.lerp(features, silence, mask)
