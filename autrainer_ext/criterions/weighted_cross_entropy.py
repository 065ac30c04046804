"""Cross-entropy with class weights."""

import torch
from torch.nn import functional as F

from .balancing import BalancingLoss


class WeightedCrossEntropyLoss(BalancingLoss):
    """Cross-entropy with class weights: L = -w_y log p_y.

    With "inverse_frequency" and the reduction `mean`, the loss equals that of the host's
    `BalancedCrossEntropyLoss` up to rounding. The other reductions differ by a constant factor.

    Args:
        weighting: See `BalancingLoss`.
        beta: See `BalancingLoss`.
        label_smoothing: See `BalancingLoss`.
        reduction: See `BalancingLoss`.

    Raises:
        ValueError: See `BalancingLoss`.

    Source:
        torch.nn.functional.cross_entropy with `weight`; sources of the weights: `class_weights`.
    """

    def __init__(
        self,
        weighting: str | None = "inverse_frequency",
        *,
        beta: float | None = None,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            weighting=weighting, beta=beta, label_smoothing=label_smoothing, reduction=reduction
        )

    def losses(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Weighted cross-entropy of every sample, shape (N,)."""
        return F.cross_entropy(
            logits, target, weight, reduction="none", label_smoothing=self.label_smoothing
        )
