"""Datasets for the host's trainer, and the folders they live in."""

from .cached import CachedClassificationDataset
from .fsdd import FSDD

__all__ = ["FSDD", "CachedClassificationDataset"]
