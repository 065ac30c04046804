"""Datasets for the host's trainer, and the folders they live in."""

from .cached import CachedClassificationDataset
from .fsdd import FSDD
from .toy_scenes import ToyScenes

__all__ = ["FSDD", "CachedClassificationDataset", "ToyScenes"]
