"""Figures of the plugin `Difficulty`."""

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from autrainer_ext.difficulty import EnsembleSizes
from autrainer_ext.difficulty.tables import ScoredSplit
from autrainer_ext.plotting import draw_cartography, draw_class_scores, draw_ensemble_sizes
from autrainer_ext.plotting.page import page_size, set_title
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
    n_runs = len(scored.measured)
    of = f"{scored.split}, n = {len(easiness)}, {n_runs} run{'s' if n_runs > 1 else ''}"
    figure, axes = plt.subplots(figsize=page_size(lines=7 + max(6, 1.4 * n_classes)))
    draw_class_scores(axes, easiness, first.targets, first.class_names)
    set_title(figure, f"Difficulty of the classes, hardest on top: {of}")
    save_figure(figure, folder / "class_scores")
    figure, axes = plt.subplots(figsize=page_size(share=0.75, lines=3))
    draw_cartography(axes, scored.difficulty)
    set_title(figure, f"Probability of the true class over all checkpoints: {of}")
    save_figure(figure, folder / "cartography")
    if n_runs > 1:
        figure, axes = plt.subplots(figsize=page_size(share=0.55, lines=6))
        draw_ensemble_sizes(axes, sizes, threshold=ENOUGH)
        title = f"Agreement of the difficulties of ensembles: {of}; dotted: {ENOUGH}"
        set_title(figure, f"{title}; shaded: lowest to highest")
        save_figure(figure, folder / "ensemble_sizes")
