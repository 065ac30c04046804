"""Figures of the plugin `Difficulty`."""

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from autrainer_ext.difficulty import EnsembleSizes
from autrainer_ext.difficulty.tables import ScoredSplit
from autrainer_ext.plotting import draw_cartography, draw_class_scores, draw_ensemble_sizes
from autrainer_ext_plugins.writing import save_figure

ENOUGH = 0.95  # correlation that is marked as high


def save_figures(scored: ScoredSplit, sizes: EnsembleSizes, folder: Path) -> None:
    """Draw and save the scores of the classes, the cartography and the ensemble sizes.

    Args:
        scored: Difficulty of the samples of a split.
        sizes: Correlation of smaller ensembles with the whole; not drawn for a single run.
        folder: Folder to write to.
    """
    first, easiness = scored.measured[0], scored.difficulty.cumulative_accuracy
    n_classes = len(np.unique(first.targets))
    figure, axes = plt.subplots(figsize=(6, 1.5 + 0.28 * n_classes), layout="constrained")
    draw_class_scores(axes, easiness, first.targets, first.class_names)
    save_figure(figure, folder / "class_scores")
    figure, axes = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
    draw_cartography(axes, scored.difficulty)
    save_figure(figure, folder / "cartography")
    if len(scored.measured) > 1:
        figure, axes = plt.subplots(figsize=(5.5, 4), layout="constrained")
        draw_ensemble_sizes(axes, sizes, threshold=ENOUGH)
        save_figure(figure, folder / "ensemble_sizes")
