"""Fidelity against size: scores of the most important bins as more and more of the clip is kept.

Two explainers can only be compared at masks of equal size. Here bins are kept in descending order
of attribution until a share of the level of the clip is reached (`sizes`), for shares from 5 to
95 %, and each part is scored by AD, FidIn and FF (`fidelity`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from autrainer_ext.serving.forward import ForwardPass, Predict

from .fidelity import score_masks
from .sizes import levels

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CURVE_MEASURES = ("AD", "FidIn", "FF")


@dataclass(frozen=True)
class SizeCurves:
    """Scores of one clip at every share of the level that is kept.

    Attributes:
        shares: Shares, ascending, shape (K,).
        scores: Scores by measure, each of shape (K,), float64.
    """

    shares: torch.Tensor
    scores: dict[str, torch.Tensor]


def size_curves(
    predict: ForwardPass | Predict,
    features: torch.Tensor,
    target: torch.Tensor,
    attributions: torch.Tensor,
    *,
    baseline: float | torch.Tensor,
    shares: Sequence[float] = SHARES,
) -> SizeCurves:
    """Score the bins of highest attribution that hold a share of the level.

    Ties go to the bin that is earlier in time, then lower in frequency.

    Args:
        predict: Maps features to logits, shape (n, C).
        features: Features of one clip, shape (1, channels, frames, mel_bins).
        target: Class that was explained, shape (1,).
        attributions: Shape of `features`.
        baseline: Value of silent features, a number or the features of one silent sample.
        shares: Shares of the level, in [0, 1].

    Returns:
        The curves.

    Example:
        >>> logits = lambda x: torch.stack([x.sum((1, 2, 3)), torch.zeros(len(x))], 1)
        >>> features, attributions = torch.ones(1, 1, 1, 2), torch.tensor([[[[0.0, 1.0]]]])
        >>> found = size_curves(
        ...     logits, features, torch.tensor([0]), attributions, baseline=0.0, shares=[0.5, 1.0]
        ... )
        >>> found.scores["AD"].numpy().round(1).tolist()
        [17.0, 0.0]
    """
    level = levels(features, baseline).flatten().double().cpu()
    order = attributions.nan_to_num().flatten().cpu().argsort(descending=True, stable=True)
    reached = level[order].cumsum(0) / level.sum().clamp(min=1e-12)
    masks = {}
    for share in shares:
        mask = torch.zeros(len(order))
        mask[order[: int((reached <= share + 1e-9).sum())]] = 1
        masks[str(share)] = mask.reshape(features.shape).to(features)
    scored = score_masks(predict, features, target, masks, baseline=baseline)
    scores = {
        name: torch.cat([getattr(scored[str(share)], name) for share in shares])
        for name in CURVE_MEASURES
    }
    return SizeCurves(torch.tensor(list(shares), dtype=torch.float64), scores)
