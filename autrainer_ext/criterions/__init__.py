"""Criteria (losses) for imbalanced classes and for recordings from several devices."""

from .focal import FocalLoss
from .ldam import LDAMLoss
from .logit_adjusted import LogitAdjustedLoss, adjust_logits
from .modality_distance import (
    DISTANCES,
    between_class_variance,
    modality_distance,
    pair_mask,
    pairwise_distances,
)
from .modality_regularizer import ModalityRegularizedLoss
from .weighted_cross_entropy import WeightedCrossEntropyLoss

__all__ = [
    "DISTANCES",
    "FocalLoss",
    "LDAMLoss",
    "LogitAdjustedLoss",
    "ModalityRegularizedLoss",
    "WeightedCrossEntropyLoss",
    "adjust_logits",
    "between_class_variance",
    "modality_distance",
    "pair_mask",
    "pairwise_distances",
]
