"""LDAM loss: label-distribution-aware margins with deferred re-weighting."""

from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from numpy.typing import ArrayLike
from torch.nn import functional as F

from autrainer_ext.compat import CallbackMixin

from .balancing import BalancingLoss
from .class_weights import ldam_margins

if TYPE_CHECKING:
    from autrainer.training import ModularTaskTrainer


class LDAMLoss(CallbackMixin, BalancingLoss):
    """Cross-entropy with larger margins for rarer classes: L = CE(s (z - m_y e_y), y).

    Here z are the logits, e_y is the one-hot vector of the true class y, m_y the margin of the
    class (see `ldam_margins`) and s the scale.

    Choice of the scale: in the source, the last layer has normalised features and weights, so
    that the logits are cosines in [-1, 1], and s = 30. This criterion is applied to the logits of
    any network. The published s and m suit networks whose initial logits have a similar range,
    such as CP-Mobile, which ends with a batch norm. If a network can scale its logits freely, only
    the product s m matters: it is the margin in nats, 15 for the rarest class by default. For
    networks with large logits use `scale: 1`. The model outputs the logits z before scaling;
    their softmax is flatter than the softmax used in training.

    Deferred re-weighting: the class weights are one until the share `reweight_after` of all
    iterations is over. The weights are updated when an epoch begins, or in step-based training at
    the start and after every evaluation. The per-sample losses that the host saves are never
    weighted, since the host computes them with a copy of the criterion without callbacks.

    A mixed target has a margin for each of its classes, in proportion to its share. Label
    smoothing is not supported, since it counteracts the margins.

    Args:
        max_margin: Margin m of the rarest class, at least 0.
        scale: Factor s of the logits, greater than 0.
        reweight_after: Share of the iterations, in [0, 1), after which the class weights are
            used; 0.8 in the source. None: never.
        weighting: Class weights after that share, see `BalancingLoss`.
        beta: See `BalancingLoss`. Default: depends on the mean count; 0.9999 in the source.
        reduction: See `BalancingLoss`.

    Raises:
        ValueError: If an argument is out of range.

    Source:
        Cao et al. (2019), Learning imbalanced datasets with label-distribution-aware margin
        loss, equations 10 to 12 and algorithm 1.
    """

    def __init__(
        self,
        max_margin: float = 0.5,
        scale: float = 30.0,
        reweight_after: float | None = None,
        weighting: str = "effective_number",
        beta: float | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weighting=weighting, beta=beta, reduction=reduction)
        ldam_margins([1], max_margin=max_margin)  # raises if max_margin is out of range
        if not scale > 0:
            raise ValueError(f"Argument 'scale' must be greater than 0, got {scale}.")
        if reweight_after is not None and not 0 <= reweight_after < 1:
            raise ValueError(f"Argument 'reweight_after' must be in [0, 1), got {reweight_after}.")
        self.max_margin = max_margin
        self.scale = scale
        self.reweight_after = reweight_after

    def set_counts(self, counts: ArrayLike) -> None:
        """Set the class counts; the weights are one until re-weighting begins.

        Args:
            counts: Number of training samples per class, at least one each, shape (n_classes,).
        """
        super().set_counts(counts)
        self.margins = torch.as_tensor(
            ldam_margins(self.counts.numpy(), max_margin=self.max_margin)
        )
        self._reweight(False)

    def cb_on_iteration_begin(self, trainer: "ModularTaskTrainer", iteration: int) -> None:
        """Use the class weights if the share `reweight_after` of all iterations is over."""
        if self.reweight_after is not None:
            # exact in decimals: as floating-point numbers 0.29 * 100 is less than 29
            begin = Fraction(str(self.reweight_after)) * trainer.cfg.iterations
            self._reweight(iteration > begin)

    def _reweight(self, is_on: bool) -> None:
        counts = self.counts.numpy()
        self.weight = torch.as_tensor(self.weigh(counts)) if is_on else torch.ones_like(self.counts)

    def losses(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Weighted loss of every sample, shape (N,)."""
        shares = F.one_hot(target, logits.shape[1]) if target.ndim == 1 else target
        # adding a constant to the logits changes nothing; the largest one as zero cannot overflow
        centred = logits - logits.detach().amax(dim=1, keepdim=True)
        adjusted = self.scale * (centred - shares * self.margins.to(logits))
        adjusted = adjusted.clamp_min(torch.finfo(adjusted.dtype).min)
        return F.cross_entropy(adjusted, target, weight, reduction="none")
