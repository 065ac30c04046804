"""Projected embeddings, persistence diagrams, and probe scores per layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.markers import MarkerStyle

# Okabe and Ito (2008): distinguishable with any colour vision. After eight the marker changes.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<")


def draw_projection(
    axes: Axes, points: np.ndarray, values: np.ndarray, title: str, *, legend: bool = True
) -> Axes:
    """Draw samples projected to the plane, coloured by a label or a number.

    Args:
        axes: Axes to draw on.
        points: Coordinates, shape (N, 2).
        values: Label or number of every sample, shape (N,). Numbers with a fractional part, or
            with more than 64 different values, are drawn in shades with a colour bar; everything
            else as labels with a legend below.
        title: Name of the values.
        legend: Whether to draw the colour bar or legend.

    Returns:
        The axes.
    """
    style: dict[str, Any] = {"s": max(2.0, min(14.0, 6000 / len(points))), "linewidths": 0}
    values = np.asarray(values)
    names = np.unique(values.astype(str))
    is_number = np.issubdtype(values.dtype, np.number)
    if is_number and (np.mod(values, 1).any() or len(names) > 64):
        shades = axes.scatter(points[:, 0], points[:, 1], c=values, cmap="viridis", **style)
        if legend:
            axes.figure.colorbar(shades, ax=axes, location="bottom", shrink=0.8, pad=0.02)
    else:
        labels = values.astype(str)
        for number, name in enumerate(names):
            marker = MARKERS[number // len(COLORS) % len(MARKERS)]
            axes.scatter(
                points[labels == name, 0],
                points[labels == name, 1],
                color=COLORS[number % len(COLORS)],
                marker=MarkerStyle(marker),
                label=name.replace("_", " "),
                **style,
            )
        if legend:
            axes.legend(
                loc="upper center",
                bbox_to_anchor=(0.5, -0.01),
                ncols=min(4, len(names)),
                fontsize=7,
                frameon=False,
                markerscale=max(1.0, 20 / style["s"] / 2),
                handletextpad=0.1,
                columnspacing=0.8,
            )
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=9)
    return axes


def draw_diagrams(axes: Axes, diagrams: Sequence[np.ndarray], title: str) -> Axes:
    """Draw persistence diagrams: birth to the right, death upward.

    Args:
        axes: Axes to draw on.
        diagrams: Birth and death of clusters and, if given, of loops, each of shape
            (features, 2).
        title: Title.

    Returns:
        The axes.
    """
    end = max((diagram.max() for diagram in diagrams if len(diagram)), default=1.0) * 1.05 or 1.0
    axes.plot([0, end], [0, end], color="0.7", linewidth=0.8, zorder=0)
    for diagram, name, number in zip(diagrams, ("clusters", "loops"), range(2), strict=False):
        marker, color = MARKERS[number], COLORS[number]
        axes.scatter(
            diagram[:, 0],
            diagram[:, 1],
            s=10,
            marker=marker,
            color=color,
            alpha=0.6,
            linewidths=0,
            label=name,
        )
    axes.set(xlim=(-0.03 * end, end), ylim=(-0.03 * end, end), aspect="equal")
    axes.set_xlabel("birth", fontsize=8)
    axes.set_ylabel("death", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.set_title(title, fontsize=9)
    return axes


def draw_layers(
    axes: Axes,
    layers: Sequence[str],
    lines: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    chance: float,
    title: str,
) -> Axes:
    """Draw a score in [0, 1] over the layers of a model, one line per label.

    Args:
        axes: Axes to draw on.
        layers: Names of the layers, from input to output.
        lines: Label of every line with its values and the lower and upper limits of their
            intervals, each of shape (layers,).
        chance: Score at chance level, drawn as a broken line. nan draws none.
        title: Name of the score.

    Returns:
        The axes.
    """
    x = np.arange(len(layers))
    for number, (label, (values, low, high)) in enumerate(lines.items()):
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        shifted = x + 0.4 * ((number + 0.5) / len(lines) - 0.5)
        axes.errorbar(
            shifted,
            values,
            yerr=np.maximum(0, [values - low, high - values]),
            color=color,
            marker=marker,
            markersize=4,
            linewidth=1,
            elinewidth=0.8,
            label=label,
        )
    if not np.isnan(chance):
        axes.axhline(chance, color="0.5", linestyle="--", linewidth=0.8)
        axes.annotate(
            "chance",
            (1, chance),
            (2, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=7,
            color="0.4",
            ha="left",
            va="center",
        )
    axes.set_ylim(0, 1.03)
    axes.set_xticks(x, layers, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", color="0.92")
    axes.set_title(title, fontsize=9)
    return axes
