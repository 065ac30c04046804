"""Focal loss with optional class weights."""

import torch
from torch.nn import functional as F

from .balancing import BalancingLoss


class FocalLoss(BalancingLoss):
    """Focal loss: cross-entropy with smaller weights for samples that are classified well.

    L = -w_y (1 - p_y)^gamma log p_y, with the predicted probability p_y and the weight w_y of the
    true class y. p_y does not include the class weight. (The code published with LDAM uses
    exp(-weighted cross-entropy), which is not a probability.) For smoothed and mixed targets, the
    loss is the mean over the classes, weighted by their shares.

    Args:
        gamma: Focusing parameter, at least 0; 0 gives cross-entropy.
        weighting: See `BalancingLoss`; "effective_number" gives the class-balanced focal loss.
        beta: See `BalancingLoss`.
        label_smoothing: See `BalancingLoss`.
        reduction: See `BalancingLoss`.

    Raises:
        ValueError: If `gamma` is negative; see also `BalancingLoss`.

    Source:
        Lin et al. (2017), Focal loss for dense object detection, equation 5; Cui et al. (2019),
        Class-balanced loss based on effective number of samples, equation 13, there for
        independent sigmoids.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        weighting: str | None = None,
        *,
        beta: float | None = None,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            weighting=weighting, beta=beta, label_smoothing=label_smoothing, reduction=reduction
        )
        if not gamma >= 0:
            raise ValueError(f"Argument 'gamma' must be at least 0, got {gamma}.")
        self.gamma = gamma

    def losses(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Weighted focal loss of every sample, shape (N,)."""
        n_classes = logits.shape[1]
        shares = F.one_hot(target, n_classes).to(logits) if target.ndim == 1 else target
        shares = (1 - self.label_smoothing) * shares + self.label_smoothing / n_classes
        # classes without a share add nothing, also where their logit is -inf
        log_p = logits.log_softmax(dim=1).masked_fill(shares == 0, 0)
        # 1 - p without cancellation; not zero, where gamma < 1 has no finite gradient
        miss = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny)
        return -(shares * weight * miss**self.gamma * log_p).sum(dim=1)
