"""Plugin `Difficulty`: how hard every sample is for an ensemble of runs."""

from .plugin import Difficulty

__all__ = ["Difficulty"]
