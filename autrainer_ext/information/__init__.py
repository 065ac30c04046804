"""Information-theoretic evaluation of classifiers from their confusion matrices."""

from .bootstrap import BOOTSTRAP_METHODS, confusion_interval, resample_counts
from .confusion import accuracy, balanced_accuracy, check_counts, confusion_counts
from .entropies import Entropies, entropies, entropy_bits
from .perplexities import Perplexities, ema, nit, perplexities
from .triangle import (
    VIEWS,
    TrianglePoint,
    aggregate_coordinates,
    cartesian,
    split_coordinates,
    triangle_points,
)

__all__ = [
    "BOOTSTRAP_METHODS",
    "VIEWS",
    "Entropies",
    "Perplexities",
    "TrianglePoint",
    "accuracy",
    "aggregate_coordinates",
    "balanced_accuracy",
    "cartesian",
    "check_counts",
    "confusion_counts",
    "confusion_interval",
    "ema",
    "entropies",
    "entropy_bits",
    "nit",
    "perplexities",
    "resample_counts",
    "split_coordinates",
    "triangle_points",
]
