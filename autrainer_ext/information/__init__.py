"""What confusion tables say about a classifier, in bits; numpy only."""

from .confusion import accuracy, balanced_accuracy, check_counts, confusion_counts
from .entropies import Entropies, entropies, entropy
from .intervals import crossed_mean_interval, mean_interval
from .perplexities import Perplexities, ema, nit, perplexities
from .table_intervals import METHODS, resample_tables, table_interval
from .triangle import (
    VIEWS,
    TrianglePoint,
    aggregate_coordinates,
    cartesian,
    split_coordinates,
    triangle_points,
)

__all__ = [
    "METHODS",
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
    "crossed_mean_interval",
    "ema",
    "entropies",
    "entropy",
    "mean_interval",
    "nit",
    "perplexities",
    "resample_tables",
    "split_coordinates",
    "table_interval",
    "triangle_points",
]
