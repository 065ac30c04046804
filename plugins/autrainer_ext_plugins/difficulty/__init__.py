"""Plugin `Difficulty`: difficulty of each sample for an ensemble of runs."""

from .plugin import Difficulty

__all__ = ["Difficulty"]
