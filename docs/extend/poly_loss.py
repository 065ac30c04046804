"""Poly-1 loss: cross-entropy plus a multiple of the probability of being wrong."""

import torch
import torch.nn.functional as F

from autrainer_ext.criterions.balancing import BalancingLoss


class PolyLoss(BalancingLoss):
    """Compute -log p_y + epsilon (1 - p_y), times the class weight.

    Args:
        epsilon: Weight of the second term; 0 gives cross-entropy.
        weighting: Class weights, see `BalancingLoss`. Default: none.

    Source:
        Leng et al. (2022), PolyLoss, equation 6.
    """

    def __init__(self, epsilon: float = 1.0, weighting: str | None = None) -> None:
        super().__init__(weighting=weighting)
        self.epsilon = epsilon

    def losses(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Return the weighted loss of every sample, shape (N,)."""
        shares = F.one_hot(target, logits.shape[1]).to(logits) if target.ndim == 1 else target
        log_p = logits.log_softmax(dim=1)
        return (shares * weight * (self.epsilon * (1 - log_p.exp()) - log_p)).sum(dim=1)
