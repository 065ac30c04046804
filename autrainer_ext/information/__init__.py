"""Information-theoretic evaluation of classifiers from their confusion matrices."""

from .comparison import Difference, compare_groups
from .confusion import accuracy, balanced_accuracy, check_counts, confusion_counts
from .confusion_intervals import ConfusionInterval, confusion_intervals
from .contributions import Contributions, sample_contributions
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
    "VIEWS",
    "ConfusionInterval",
    "Contributions",
    "Difference",
    "Entropies",
    "Perplexities",
    "TrianglePoint",
    "accuracy",
    "aggregate_coordinates",
    "balanced_accuracy",
    "cartesian",
    "check_counts",
    "compare_groups",
    "confusion_counts",
    "confusion_intervals",
    "ema",
    "entropies",
    "entropy_bits",
    "nit",
    "perplexities",
    "sample_contributions",
    "split_coordinates",
    "triangle_points",
]
