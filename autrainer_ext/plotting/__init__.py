"""Figures: functions that draw on the axes they are given.

Import `autrainer_ext.plotting.triangle` by its full name: it needs mpltern.
"""

from .adaptation import draw_gains
from .confusion import draw_confusion
from .difficulty import draw_cartography, draw_class_scores, draw_ensemble_sizes
from .intervals import draw_intervals
from .looks import Look, looks
from .spectrogram import draw_attributions, draw_explained_spectrogram, draw_spectrogram

__all__ = [
    "Look",
    "draw_attributions",
    "draw_cartography",
    "draw_class_scores",
    "draw_confusion",
    "draw_ensemble_sizes",
    "draw_explained_spectrogram",
    "draw_gains",
    "draw_intervals",
    "draw_spectrogram",
    "looks",
]
