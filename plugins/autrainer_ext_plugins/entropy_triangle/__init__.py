"""Plugin `EntropyTriangle`: confusion matrices in the entropy triangle."""

from .plugin import EntropyTriangle

__all__ = ["EntropyTriangle"]
