"""Projected embeddings, persistence diagrams, and probe scores per layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import MaxNLocator

from .looks import looks


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
    style: dict[str, Any] = {"s": max(1.5, min(8.0, 3000 / len(points))), "linewidths": 0}
    values = np.asarray(values)
    names = np.unique(values.astype(str))
    is_number = np.issubdtype(values.dtype, np.number)
    if is_number and (np.mod(values, 1).any() or len(names) > 64):
        shades = axes.scatter(points[:, 0], points[:, 1], c=values, cmap="viridis", **style)
        if legend:
            ticks = MaxNLocator(2)
            axes.figure.colorbar(shades, ax=axes, location="bottom", pad=0.02, ticks=ticks)
    else:
        labels = values.astype(str)
        for name, look in zip(names, looks(len(names)), strict=True):
            axes.scatter(
                points[labels == name, 0],
                points[labels == name, 1],
                color=look.color,
                marker=MarkerStyle(look.marker),
                label=name.replace("_", " "),
                **style,
            )
        if legend:
            axes.legend(
                loc="upper center",
                bbox_to_anchor=(0.5, -0.01),
                ncols=max(1, min(4, len(names), 28 // max(map(len, names)))),
                markerscale=(12 / style["s"]) ** 0.5,
                handletextpad=0.1,
                columnspacing=0.8,
            )
    axes.set(xticks=[], yticks=[])
    axes.set_title(title)
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
    for diagram, name, look in zip(diagrams, ("clusters", "loops"), looks(2), strict=False):
        axes.scatter(
            diagram[:, 0],
            diagram[:, 1],
            s=6,
            marker=MarkerStyle(look.marker),
            color=look.color,
            alpha=0.6,
            linewidths=0,
            label=name,
        )
    axes.set(xlim=(-0.03 * end, end), ylim=(-0.03 * end, end), aspect="equal")
    axes.set(xlabel="birth", ylabel="death")
    axes.set_title(title)
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
    own = looks(len(lines))
    for number, (label, (values, low, high)) in enumerate(lines.items()):
        shifted = x + 0.4 * ((number + 0.5) / len(lines) - 0.5)
        axes.errorbar(
            shifted,
            values,
            yerr=np.maximum(0, [values - low, high - values]),
            color=own[number].color,
            marker=own[number].marker,
            elinewidth=0.6,
            linewidth=0.8,
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
            fontsize="small",
            color="0.4",
            ha="left",
            va="center",
        )
    axes.set_ylim(0, 1.03)
    axes.set_xticks(x, layers, rotation=40, ha="right", rotation_mode="anchor")
    axes.grid(axis="y", color="0.92")
    axes.set_title(title)
    return axes
