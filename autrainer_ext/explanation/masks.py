"""Masks made of attributions: which bins an explanation keeps, and how much of them.

Attributions have the shape (N, channels, frames, mel_bins). Masks have the same shape and values in
[0, 1]; each sample is masked independently. `topK_k` keeps k per cent of the bins, `pos_thresh_t`
those of at least t per cent of the maximum. Names ending in `_pos` use positive attributions only.

Source:
    "Constructing post-hoc interpretations for audio classification models", coursework24, with
    the masks of L-MAC, Paissan, Ravanelli and Subakan (2024), Listenable maps for audio
    classifiers.

Departures, all undone by `source_compatible=True`:
    The published top-k masks keep all bins at or above a quantile. If fewer than k per cent of the
    bins are positive, that quantile of the positive part is 0 and the `_pos` mask keeps every bin.
    Here bins are ranked and exactly ceil(k n / 100) of them are kept; ties go to the bin that is
    earlier in time, then lower in frequency. `_pos` keeps positive bins only.
    The published sigmoids use raw attributions and are close to one half for small values. Here
    attributions are first divided by their standard deviation, and `sigmoid_pos` has the range
    0 to 1 instead of one half to 1.
    Here attributions that are all equal, or not finite, explain nothing, and their masks are zero.

`minmax` and `sigmoid` map zero attribution of signed maps to a value between 0 and 1: by
definition, a bin without evidence is partly kept.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial

import torch

from autrainer_ext.errors import unknown_name

_SHARES = (5, 30, 50)
_THRESHOLDS = (25, 50, 75)


class _Maps:
    """Attributions and the statistics that several masks share, computed once."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values
        self.lowest = values.amin(dim=(1, 2, 3), keepdim=True)
        self.highest = values.amax(dim=(1, 2, 3), keepdim=True)

    @cached_property
    def positive(self) -> torch.Tensor:
        return self.values.clamp(min=0)

    @cached_property
    def order(self) -> torch.Tensor:
        """Indices of the bins in descending order of attribution, shape (N, bins)."""
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
    # one sample at a time: torch.quantile accepts at most 2 ** 24 values
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
    """Compute masks from attributions.

    Args:
        attributions: Shape (N, channels, frames, mel_bins).
        names: Names of masks, keys of `MASKS`. Default: all.
        source_compatible: Whether to compute the masks of the published code (see the module).

    Returns:
        Masks by name, each of the shape of the attributions, in [0, 1]. Masks of samples that
        explain nothing (`explains_nothing`) are zero, unless `source_compatible`.

    Raises:
        ValueError: If a name is unknown or the attributions do not have four axes.

    Example:
        >>> attributions = torch.tensor([[[[-1.0, 0.0], [1.0, 3.0]]]])
        >>> make_masks(attributions, ["bin", "topK_5"])["bin"].tolist()
        [[[[0.0, 0.0], [1.0, 1.0]]]]
    """
    if attributions.ndim != 4:
        raise ValueError(
            "Attributions must have the shape (samples, channels, frames, mel_bins), got "
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
    """Find samples whose attributions are all equal, or not finite.

    Args:
        attributions: Shape (N, ...).

    Returns:
        Shape (N,), bool.

    Example:
        >>> explains_nothing(torch.tensor([[0.0, 1.0], [2.0, 2.0]])).tolist()
        [False, True]
    """
    flat = attributions.flatten(1)
    return ~flat.isfinite().all(dim=1) | (flat.amax(dim=1) == flat.amin(dim=1))


def apply_mask(
    features: torch.Tensor,
    mask: torch.Tensor,
    baseline: float | torch.Tensor,
    *,
    source_compatible: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Split features into the part that a mask keeps and the part that it removes.

        kept    = baseline + mask (features - baseline)
        removed = baseline + (1 - mask) (features - baseline)

    Where the mask is 1, the kept part equals the features exactly; where it is 0, the baseline.
    Features are logarithmic: a mask of one half halves the distance from the baseline in dB, not
    the energy, so audio of a soft mask (`reconstruction`) differs from masked features.

    Args:
        features: Any shape.
        mask: Same shape, in [0, 1].
        baseline: Value of silent features, a number or a tensor that can be broadcast.
        source_compatible: Whether to compute as in the published code, (x - b) m + b, which is not
            exact where the mask is 1.

    Returns:
        Kept and removed part, each of the shape of the features.

    Example:
        >>> apply_mask(torch.tensor([-20.0, -40.0]), torch.tensor([1.0, 0.5]), -100.0)
        (tensor([-20., -70.]), tensor([-100.,  -70.]))
    """
    silence = torch.as_tensor(baseline, dtype=features.dtype).expand_as(features)
    if source_compatible:
        distance = features - silence
        return distance * mask + silence, distance * (1 - mask) + silence
    return torch.lerp(silence, features, mask), torch.lerp(features, silence, mask)
