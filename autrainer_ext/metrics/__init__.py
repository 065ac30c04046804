"""Metrics for the settings `metrics` and `tracking_metric` of a data set."""

from .information import EMA, NIT, NormalizedMutualInformation

__all__ = ["EMA", "NIT", "NormalizedMutualInformation"]
