"""Base class of criteria for imbalanced classes: class counts, checks and reductions."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn.modules.loss import _Loss

from autrainer_ext.compat import trainer_averages
from autrainer_ext.errors import unknown_name

from .class_weights import WEIGHTINGS, check_class_counts, effective_number

if TYPE_CHECKING:
    from autrainer.datasets import AbstractDataset

REDUCTIONS = ("none", "mean", "sum")


class BalancingLoss(_Loss, ABC):
    """Base class of losses that depend on the number of training samples of every class.

    A subclass computes the loss l_i of every sample, which includes the weight w_i of its class.
    This class reduces the losses:

    - `none`: l_i, shape (N,). Since autrainer 0.10 the trainer builds criteria with this
      reduction and minimises the mean; in its training steps the losses are therefore
      N l_i / sum_j w_j, whose mean is that of the reduction `mean`.
    - `sum`: sum_i l_i.
    - `mean`: sum_i l_i / sum_i w_i, as in torch. For an empty batch, zero with a gradient.

    Targets are class indices, shape (N,), or shares of the classes, shape (N, n_classes), as
    produced by MixUp and CutMix. The weight of a mixed sample is the mean of the weights of its
    classes, so that one-hot shares give the same loss as class indices. (With mixed samples, torch
    divides by N instead.)

    For 16-bit logits the loss is computed and returned in float32.

    Args:
        weighting: Class weights as a function of the class counts, see `class_weights`:
            "inverse_frequency", "square_root_inverse" or "effective_number". None: all weights
            are one.
        beta: Parameter of "effective_number", in [0, 1). Default: depends on the mean count.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1].
        reduction: "none", "mean" or "sum"; the attribute may be changed at any time.

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
            raise ValueError(
                f"Argument 'label_smoothing' must be in [0, 1], got {label_smoothing}."
            )
        self.weigh = _weighting(weighting, beta)
        self.label_smoothing = label_smoothing
        self._is_averaged = False
        # plain float64 tensors, copied to the device of the logits; empty before set_counts
        self.counts = torch.zeros(0, dtype=torch.float64)
        self.weight = torch.zeros(0, dtype=torch.float64)

    def setup(self, data: "AbstractDataset") -> None:
        """Count the training samples of every class; called by the host before training.

        Args:
            data: Data set for single-label classification.

        Raises:
            ValueError: If the data set is of another kind or a class has no training sample.
        """
        self._is_averaged = trainer_averages()
        self.set_counts(class_counts(data))

    def set_counts(self, counts: ArrayLike) -> None:
        """Set the class counts directly, without a data set.

        Args:
            counts: Number of training samples per class, at least one each, shape (n_classes,).

        Raises:
            ValueError: If a class has no training sample.
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
            logits: Model outputs before softmax, shape (N, n_classes), at least float32.
            target: Class indices, shape (N,), or shares, shape (N, n_classes).
            weight: Class weights, shape (n_classes,), of the type and device of `logits`.

        Returns:
            Weighted losses, shape (N,).
        """

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Args:
            logits: Model outputs before softmax, shape (N, n_classes).
            target: Class indices, shape (N,), or shares, shape (N, n_classes).

        Returns:
            Reduced loss, or one loss per sample if `reduction` is "none".

        Raises:
            ValueError: If the class counts are not set, shapes do not match, class indices are not
                integers or `reduction` is unknown.
        """
        self._check(logits, target)
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        target = target.long() if target.ndim == 1 else target.to(logits)
        weight = self.weight.to(logits)
        losses = self.losses(logits, target, weight)
        if self.reduction == "sum" or not len(losses):
            return losses if self.reduction == "none" else losses.sum()
        total_weight = (weight[target] if target.ndim == 1 else target @ weight).sum()
        if self.reduction == "mean":
            return losses.sum() / total_weight
        is_training = self._is_averaged and logits.requires_grad
        return losses * len(losses) / total_weight if is_training else losses

    def _check(self, logits: torch.Tensor, target: torch.Tensor) -> None:
        _check_reduction(self.reduction)
        name = type(self).__name__
        if not len(self.counts):
            raise ValueError(f"{name} has no class counts: call setup or set_counts first.")
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
        if target.ndim == 1 and target.is_floating_point():
            raise ValueError(
                f"{name} expects class indices as integers, got {target.dtype}: "
                "numbers with decimals are no classes."
            )


def class_counts(data: "AbstractDataset") -> np.ndarray:
    """Number of training samples per class, in the order of the class indices.

    Args:
        data: Data set for single-label classification.

    Returns:
        Integers of at least 1, shape (n_classes,).

    Raises:
        ValueError: If the data set is not for single-label classification or a class has no
            training sample.

    Example:
        >>> from types import SimpleNamespace
        >>> import pandas as pd
        >>> from autrainer.datasets.utils import LabelEncoder
        >>> table = pd.DataFrame({"scene": ["bus", "park", "bus"]})
        >>> class_counts(
        ...     SimpleNamespace(
        ...         df_train=table,
        ...         target_column="scene",
        ...         target_transform=LabelEncoder(["bus", "park"]),
        ...     )
        ... )
        array([2, 1])
    """
    labels = getattr(data.target_transform, "labels", None)
    if labels is None or not isinstance(data.target_column, str):
        raise ValueError(
            f"Class counts require one class per sample, not targets of "
            f"{type(data.target_transform).__name__} in column {data.target_column}."
        )
    encoded = data.df_train[data.target_column].map(data.target_transform)
    counts = np.bincount(encoded, minlength=len(labels))
    if not counts.all():
        missing = data.target_transform.decode(int(counts.argmin()))
        raise ValueError(f"Class '{missing}' has no training sample: its weight is undefined.")
    return counts


def _weighting(name: str | None, beta: float | None) -> Callable[[np.ndarray], np.ndarray]:
    if name not in (None, *WEIGHTINGS):
        raise unknown_name("weighting", name, ("null", *WEIGHTINGS))
    if beta is None:
        return np.ones_like if name is None else WEIGHTINGS[name]
    if name != "effective_number":
        raise ValueError(
            f"Argument 'beta' requires the weighting 'effective_number', got '{name or 'null'}'."
        )
    effective_number(np.ones(1), beta=beta)  # raises if beta is out of range
    return partial(effective_number, beta=beta)


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)
