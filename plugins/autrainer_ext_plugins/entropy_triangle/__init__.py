"""Plugin `EntropyTriangle`: confusion matrices of runs in the entropy triangle."""

from .plugin import EntropyTriangle

__all__ = ["EntropyTriangle"]
