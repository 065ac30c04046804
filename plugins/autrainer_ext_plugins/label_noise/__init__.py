"""Plugin `LabelNoise`: ranked list of labels that are probably wrong."""

from .plugin import LabelNoise

__all__ = ["LabelNoise"]
