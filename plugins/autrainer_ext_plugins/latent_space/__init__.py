"""Plugin `LatentSpace`: class and device in the embeddings of every layer."""

from .plugin import LatentSpace

__all__ = ["LatentSpace"]
