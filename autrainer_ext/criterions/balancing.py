"""What all balancing criteria share: counts from the data set, checks and reductions."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn.modules.loss import _Loss

from autrainer_ext.errors import unknown_name

from .class_weights import WEIGHTINGS, check_class_counts, effective_number

if TYPE_CHECKING:
    from autrainer.datasets import AbstractDataset

REDUCTIONS = ("none", "mean", "sum")


class BalancingLoss(_Loss, ABC):
    """Loss of logits that depends on how many training samples every class has.

    A subclass computes the loss of every sample; here it is reduced:

    - `none`: weighted losses, shape (N,).
    - `sum`: their sum.
    - `mean`: their sum divided by the sum of the weights of the samples, as in torch. Of an
      empty batch zero, with a gradient.

    Targets are class indices, shape (N,), or shares of the classes, shape (N, n_classes), as MixUp
    and CutMix make them. The weight of a mixed sample is the mean of those of its classes, so that
    shares of one are the same as indices. (torch divides the mean of mixed samples by N instead.)

    Logits of 16 bits are computed with, and give losses, in float32.

    Args:
        weighting: Function of `class_weights` that gives the weights of the classes:
            `inverse_frequency`, `square_root_inverse` or `effective_number`. None: all are one.
        beta: Of `effective_number`, in [0, 1). Default: depends on the mean count.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1].
        reduction: May be changed at any time.

    Raises:
        ValueError: If an argument is out of its range, or `beta` is given to another weighting.
    """

    def __init__(
        self,
        *,
        weighting: str | None = None,
        beta: float | None = None,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        _check_reduction(reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing must be in [0, 1], got {label_smoothing}.")
        self.weigh = _weighting(weighting, beta)
        self.label_smoothing = label_smoothing
        # plain tensors, copied to where the logits are: small, and in float64
        self.counts: torch.Tensor | None = None
        self.weight: torch.Tensor | None = None

    def setup(self, data: "AbstractDataset") -> None:
        """Count the training samples of every class; called by the host.

        Args:
            data: Data set for single-label classification.

        Raises:
            ValueError: If it has other labels or a class has no training sample.
        """
        self.set_counts(class_counts(data))

    def set_counts(self, counts: ArrayLike) -> None:
        """Use these counts, without a data set.

        Args:
            counts: Training samples per class, at least one each, shape (n_classes,).

        Raises:
            ValueError: If a class has none.
        """
        counts = check_class_counts(counts)
        self.counts = torch.as_tensor(counts)
        self.weight = torch.as_tensor(self.weigh(counts))

    @abstractmethod
    def losses(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Loss of every sample.

        Args:
            logits: Shape (N, n_classes), at least float32.
            target: Class indices, shape (N,), or shares, shape (N, n_classes).
            weight: Weights of the classes, shape (n_classes,), like `logits`.

        Returns:
            Weighted losses, shape (N,).
        """

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Args:
            logits: Model outputs before softmax, shape (N, n_classes).
            target: Class indices, shape (N,), or shares, shape (N, n_classes).

        Returns:
            Reduced loss, or one loss per sample if `reduction` is `none`.

        Raises:
            ValueError: If the counts are not known, shapes do not fit or `reduction` is none of
                the three.
        """
        self._check(logits, target)
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        target = target.long() if target.ndim == 1 else target.to(logits)
        weight = self.weight.to(logits)
        losses = self.losses(logits, target, weight)
        if self.reduction == "none":
            return losses
        total = losses.sum()
        if self.reduction == "sum" or not len(losses):
            return total
        return total / (weight[target] if target.ndim == 1 else target @ weight).sum()

    def _check(self, logits: torch.Tensor, target: torch.Tensor) -> None:
        _check_reduction(self.reduction)
        name = type(self).__name__
        if self.counts is None:
            raise ValueError(f"{name} knows no class counts: call setup or set_counts first.")
        if logits.ndim != 2 or logits.shape[1] != len(self.counts):
            raise ValueError(
                f"{name} expects logits of shape (N, {len(self.counts)}), "
                f"got {tuple(logits.shape)}."
            )
        if target.shape not in (logits.shape, logits.shape[:1]):
            raise ValueError(
                f"{name} expects class indices of shape ({len(logits)},) or shares of shape "
                f"{tuple(logits.shape)}, got {tuple(target.shape)}."
            )


def class_counts(data: "AbstractDataset") -> np.ndarray:
    """Training samples of every class, in the order of the encoded labels.

    Args:
        data: Data set for single-label classification.

    Returns:
        Integers of at least 1, shape (n_classes,).

    Raises:
        ValueError: If the labels are no single classes or one of them has no training sample.
    """
    labels = getattr(data.target_transform, "labels", None)
    if labels is None or not isinstance(data.target_column, str):
        raise ValueError(
            f"Class counts need one class per sample, not targets of "
            f"{type(data.target_transform).__name__} in {data.target_column}."
        )
    encoded = data.df_train[data.target_column].map(data.target_transform)
    counts = np.bincount(encoded, minlength=len(labels))
    if not counts.all():
        missing = data.target_transform.decode(int(counts.argmin()))
        raise ValueError(f"Class '{missing}' has no training sample to take its weight from.")
    return counts


def _weighting(name: str | None, beta: float | None) -> Callable[[np.ndarray], np.ndarray]:
    if name not in (None, *WEIGHTINGS):
        raise ValueError(f"weighting must be null or one of {', '.join(WEIGHTINGS)}, got '{name}'.")
    if beta is None:
        return np.ones_like if name is None else WEIGHTINGS[name]
    if name != "effective_number":
        raise ValueError(f"beta belongs to the weighting effective_number, not to {name}.")
    effective_number(np.ones(1), beta=beta)  # is it in its range?
    return partial(effective_number, beta=beta)


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)
