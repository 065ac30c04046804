"""Figures: every function draws on given axes and returns them."""

from .confusion import draw_confusion

__all__ = ["draw_confusion"]
