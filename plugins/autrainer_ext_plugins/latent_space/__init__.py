"""Plugin `LatentSpace`: what the layers of a network encode of class and device."""

from .plugin import LatentSpace

__all__ = ["LatentSpace"]
