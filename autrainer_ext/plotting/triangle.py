"""Entropy triangles, on axes of the projection "ternary" that importing mpltern registers.

Top corner: mutual information, a perfect classifier on balanced data. Left corner: variation,
guessing. Right corner: divergence, a single class. Crosses are points of the true labels, open
circles of the predicted ones, filled circles of both together.
"""

import mpltern  # noqa: F401  registers the projection
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from autrainer_ext.information import TrianglePoint

# told apart by colour-blind people too
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
VIEW_NAMES = {"true": "true labels", "pred": "predicted labels", "joint": "both"}
COLOR_MAP = "viridis"
_MARKERS_AT_MOST = 24


def draw_triangle(axes: Axes, title: str = "") -> Axes:
    """Name the corners of a triangle and rule it.

    Args:
        axes: Axes to draw on, projection "ternary".
        title: Title above the top corner and its name.

    Returns:
        The axes.
    """
    axes.set_title(title, fontsize=9, y=1, pad=30)  # finding a place for it takes seconds
    for corner, name in (
        (axes.taxis, "mutual information"),
        (axes.laxis, "variation"),
        (axes.raxis, "divergence"),
    ):
        corner.set_label_position("corner")
        corner.set_label_text(name, fontsize=8)
        corner.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=6, color="0.6", labelcolor="0.35")
    axes.grid(color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def enlarge(axes: Axes, points: list[TrianglePoint], smallest: float = 0.2) -> Axes:
    """Show the smallest part of the triangle, itself such a triangle, that holds all points.

    Args:
        axes: Axes of a triangle.
        points: What is to be seen; nan is left out. Without points the whole is shown.
        smallest: Least side of the part, in (0, 1].

    Returns:
        The axes, their ticks showing which part it is.
    """
    stacked = np.concatenate([np.zeros((3, 0)), *[np.reshape(_tlr(p), (3, -1)) for p in points]], 1)
    stacked = stacked[:, np.isfinite(stacked).all(axis=0)]
    if not stacked.shape[1]:
        return axes
    low = stacked.min(axis=1)
    side = 1 - low.sum()
    wanted = min(max(1.16 * side, smallest), 1)
    low = np.maximum(low - (wanted - side) / 3, 0)
    low[low.argmax()] -= wanted - (1 - low.sum())  # what the edges of the whole cut off
    axes.set_ternary_min(*np.maximum(low, 0))
    return axes


def draw_trajectory(
    axes: Axes, points: dict[str, TrianglePoint], iterations: np.ndarray, norm: Normalize
) -> Axes:
    """Draw how a classifier moves in training, coloured by iteration.

    Args:
        axes: Axes of a triangle.
        points: Points by view, arrays of shape (E,).
        iterations: Iterations in ascending order, shape (E,).
        norm: From iterations to the colour map `COLOR_MAP`.

    Returns:
        The axes. Lines lead through the points of true and of predicted labels. Of long
        trajectories about two dozen points are marked, the first and the last among them; the
        last one is larger.
    """
    iterations = np.asarray(iterations)
    is_last = np.arange(len(iterations)) == len(iterations) - 1
    marked = np.unique(np.linspace(0, len(iterations) - 1, _MARKERS_AT_MOST).round().astype(int))
    for view, point in points.items():
        tlr = np.array(_tlr(point))
        if view != "joint":
            xy = axes.transProjection.transform(tlr.T)
            segments = LineCollection(
                np.stack([xy[:-1], xy[1:]], axis=1),
                array=iterations[1:],
                cmap=COLOR_MAP,
                norm=norm,
                linewidths=0.7,
                alpha=0.5,
                zorder=2,
            )
            axes.add_collection(segments, autolim=False)
        shades = axes.scatter(
            *tlr[:, marked],
            c=iterations[marked],
            cmap=COLOR_MAP,
            norm=norm,
            s=np.where(is_last[marked], 42, 11) * (0.4 if view == "joint" else 1),
            linewidths=1.0,
            zorder=3,
            clip_on=False,
            **_glyph(view),
        )
        if view == "pred":  # an open circle: the colour moves to its edge
            shades.set_edgecolor(shades.to_rgba(iterations[marked]))
            shades.set_facecolor("none")
            shades.set_array(None)
    return axes


def draw_views(axes: Axes, points: dict[str, TrianglePoint], color: str) -> Axes:
    """Draw one point of every view.

    Args:
        axes: Axes of a triangle.
        points: Points by view, of any shape.
        color: Their colour.

    Returns:
        The axes.
    """
    for view, point in points.items():
        colors = {
            "true": {"color": color},
            "pred": {"facecolors": "none", "edgecolors": color},
            "joint": {"color": color},
        }[view]
        glyph = _glyph(view)
        size = 11 if view == "joint" else 26
        axes.scatter(
            *_tlr(point), s=size, linewidths=1.2, zorder=4, clip_on=False, **glyph, **colors
        )
    return axes


def draw_bars(
    axes: Axes,
    x: tuple[float, float, float],
    y: tuple[float, float, float],
    color: str,
) -> Axes:
    """Draw a level and an upright bar, the limits of a point in the plane.

    Args:
        axes: Axes of a triangle.
        x: Value, lower and upper limit of the level coordinate of `information.cartesian`.
        y: The same of the upright one. Limits that are nan are left out.
        color: Colour of the bars.

    Returns:
        The axes.
    """
    for ends_x, ends_y in (((x[1], x[2]), (y[0], y[0])), ((x[0], x[0]), (y[1], y[2]))):
        if np.isfinite([ends_x, ends_y]).all():
            axes.plot(*_tlr(from_plane(ends_x, ends_y)), color=color, linewidth=1.0, zorder=3)
    return axes


def from_plane(x: np.ndarray, y: np.ndarray) -> TrianglePoint:
    """Points of coordinates in the plane, the inverse of `information.cartesian`."""
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    shared = y * 2 / np.sqrt(3)
    divergence = x - shared / 2
    return TrianglePoint(divergence, shared, 1 - shared - divergence)


def view_handles(views: tuple[str, ...] = tuple(VIEW_NAMES)) -> list[Line2D]:
    """Entries of a legend that explain the glyphs."""
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            color="0.3",
            markersize=3.5 if view == "joint" else 5,
            markerfacecolor="none" if view == "pred" else "0.3",
            label=VIEW_NAMES[view],
            **_glyph(view),
        )
        for view in views
    ]


def _glyph(view: str) -> dict:
    return {"marker": {"true": "x", "pred": "o", "joint": "o"}[view]}


def _tlr(point: TrianglePoint) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return point.mutual_information, point.variation, point.divergence
