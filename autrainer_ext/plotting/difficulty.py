"""Sample difficulty per class, as a data map, and its stability over ensemble sizes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from autrainer_ext.difficulty import EnsembleSizes, SampleDifficulty

_BINS = 10


def draw_class_scores(
    axes: Axes, scores: np.ndarray, targets: np.ndarray, class_names: list[str]
) -> Axes:
    """Draw the distribution of the scores of each class, hardest class on top.

    Args:
        axes: Axes to draw on.
        scores: Score of every sample, shape (N,), in [0, 1], such as cumulative accuracy.
        targets: Class index of every sample, shape (N,).
        class_names: Name of every class. A class without samples has no row.

    Returns:
        The axes. Each row is shaded by the share of the samples of the class in each tenth of
        the score; a mark shows their mean.
    """
    present = np.unique(targets)
    means = np.array([scores[targets == label].mean() for label in present])
    rows = present[np.argsort(means, kind="stable")]
    edges = np.linspace(0, 1, _BINS + 1)
    shares = np.array([np.histogram(scores[targets == label], edges)[0] for label in rows])
    shares = 100 * shares / shares.sum(axis=1, keepdims=True)
    image = axes.imshow(
        shares, cmap="Blues", vmin=0, aspect="auto", extent=(0, 1, len(rows) - 0.5, -0.5)
    )
    axes.figure.colorbar(image, ax=axes, label="samples of the class in %")
    style: dict[str, Any] = {"color": "#d55e00", "mec": "white", "mew": 0.6}
    axes.plot(np.sort(means), range(len(rows)), "D", label="mean of the class", **style)
    axes.set_yticks(range(len(rows)), [class_names[label].replace("_", " ") for label in rows])
    axes.set(xlabel="cumulative accuracy", xlim=(0, 1))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), borderaxespad=0.2)
    return axes


def draw_cartography(axes: Axes, difficulty: SampleDifficulty) -> Axes:
    """Draw the data map: confidence over variability, coloured by cumulative accuracy.

    Args:
        axes: Axes to draw on.
        difficulty: Difficulty measures of N samples.

    Returns:
        The axes. Easy samples lie at the top left, hard ones at the bottom left, ambiguous ones
        to the right.

    Source:
        Swayamdipta et al. (2020), figure 1. arXiv 2009.10795.
    """
    hardest_last = np.argsort(-difficulty.cumulative_accuracy, kind="stable")
    points = axes.scatter(
        difficulty.variability[hardest_last],
        difficulty.confidence[hardest_last],
        c=difficulty.cumulative_accuracy[hardest_last],
        cmap="viridis",
        vmin=0,
        vmax=1,
        s=6,
        linewidths=0,
        rasterized=True,
    )
    axes.figure.colorbar(points, ax=axes, label="cumulative accuracy")
    axes.set(
        xlabel="variability: standard deviation of the probability",
        ylabel="confidence: mean probability",
        ylim=(0, 1),
        xlim=(0, None),
    )
    return axes


def draw_ensemble_sizes(axes: Axes, sizes: EnsembleSizes, *, threshold: float = 0.95) -> Axes:
    """Draw the rank agreement of smaller ensembles with the full one and with each other.

    Args:
        axes: Axes to draw on.
        sizes: Agreement for every ensemble size.
        threshold: Agreement to mark with a dotted line.

    Returns:
        The axes.
    """
    axes.fill_between(sizes.size, sizes.lowest, sizes.highest, color="#56b4e9", alpha=0.35, lw=0)
    axes.plot(sizes.size, sizes.with_all, "o-", color="#0072b2", label="with all runs")
    halves = ~np.isnan(sizes.disjoint)
    axes.plot(
        sizes.size[halves],
        sizes.disjoint[halves],
        "s--",
        color="#d55e00",
        label="of two without a common run",
    )
    axes.axhline(threshold, color="0.4", lw=0.8, ls=":")
    axes.set_xticks(sizes.size)
    axes.set(xlabel="runs in the ensemble", ylabel="Spearman correlation", ylim=(None, 1.005))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), borderaxespad=0, ncols=2)
    return axes
