"""Logit adjustment for imbalanced classes, in training or after training."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn import functional as F

from .balancing import BalancingLoss
from .class_weights import log_priors


class LogitAdjustedLoss(BalancingLoss):
    """Cross-entropy of logits with added log priors: L = CE(z + tau log(n / N), y).

    Here z are the logits, y is the true class and n / N are the class priors, the shares of the
    classes in the training samples. The priors are added in training only, so that the evaluated
    logits z do not favour frequent classes. tau = 1 is the balanced softmax: at its minimum,
    softmax(z) is proportional to p(x | y), the posterior under equal priors.

    Args:
        tau: Strength, at least 0. 0 gives cross-entropy, values above 1 favour rare classes.
        label_smoothing: See `BalancingLoss`.
        reduction: See `BalancingLoss`.

    Raises:
        ValueError: If `tau` is out of range; see also `BalancingLoss`.

    Source:
        Menon et al. (2021), Long-tail learning via logit adjustment, equation 10; Ren et al.
        (2020), Balanced meta-softmax for long-tailed visual recognition, equation 4.
    """

    def __init__(
        self, tau: float = 1.0, *, label_smoothing: float = 0.0, reduction: str = "mean"
    ) -> None:
        super().__init__(label_smoothing=label_smoothing, reduction=reduction)
        if not 0 <= tau < math.inf:
            raise ValueError(f"Argument 'tau' must be at least 0 and finite, got {tau}.")
        self.tau = tau

    def set_counts(self, counts: ArrayLike) -> None:
        """Set the class counts and with them the log priors.

        Args:
            counts: Number of training samples per class, at least one each, shape (n_classes,).
        """
        super().set_counts(counts)
        self.shift = torch.as_tensor(self.tau * log_priors(counts))

    def losses(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Cross-entropy of the adjusted logits of every sample, shape (N,)."""
        adjusted = logits + self.shift.to(logits)
        return F.cross_entropy(
            adjusted, target, reduction="none", label_smoothing=self.label_smoothing
        )


def adjust_logits(logits: np.ndarray, counts: ArrayLike, *, tau: float = 1.0) -> np.ndarray:
    """Post-hoc logit adjustment: subtract the log priors from the logits of a trained model.

    Use it for models trained with plain cross-entropy: apply it to saved outputs, or subtract the
    same shift once from the bias of the last layer.

    Args:
        logits: Model outputs before softmax, shape (..., n_classes).
        counts: Number of training samples per class, at least one each, shape (n_classes,).
        tau: Strength. 0 changes nothing, 1 replaces the training priors by equal priors.

    Returns:
        logits - tau log(n / N), shape (..., n_classes).

    Raises:
        ValueError: If a class has no sample or the numbers of classes differ.

    Source:
        Menon et al. (2021), Long-tail learning via logit adjustment, equation 9.

    Example:
        >>> adjust_logits(np.array([0.2, 0.0]), [3, 1]).argmax()  # now the rarer class
        1
    """
    shift = log_priors(counts)
    if np.shape(logits)[-1:] != shift.shape:
        raise ValueError(
            f"Argument 'logits' must have the shape (..., {len(shift)}), got {np.shape(logits)}."
        )
    return logits - tau * shift
