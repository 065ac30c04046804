"""Entropy triangles, drawn on axes of the projection "ternary".

Importing this module imports mpltern, which registers the projection.

The top corner is mutual information (a perfect classifier on balanced data), the left corner
variation (guessing), the right corner divergence (a single class). Crosses show the entropies of
the targets, open circles those of the predictions, filled circles those of both together.
"""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from mpltern.ternary import TernaryAxes  # registers the projection
from numpy.typing import ArrayLike

from autrainer_ext.information import TrianglePoint

# distinguishable with any colour vision
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
VIEW_NAMES = {"true": "true labels", "pred": "predicted labels", "joint": "both"}
COLOR_MAP = "viridis"
_MARKERS_AT_MOST = 24


def draw_triangle(axes: TernaryAxes, title: str = "") -> TernaryAxes:
    """Draw the corner names, ticks and grid of an entropy triangle.

    Args:
        axes: TernaryAxes to draw on, projection "ternary".
        title: Title above the name of the top corner.

    Returns:
        The axes.
    """
    axes.set_title(title, fontsize=9, y=1, pad=30)  # automatic placement takes seconds
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


def enlarge(axes: TernaryAxes, points: list[TrianglePoint], smallest: float = 0.2) -> TernaryAxes:
    """Zoom in on the smallest triangle of the same orientation that contains all points.

    Args:
        axes: TernaryAxes of a triangle.
        points: Points to show; nan is ignored. Without points the whole triangle is shown.
        smallest: Smallest side of the visible part, in (0, 1].

    Returns:
        The axes. The ticks show which part is visible.
    """
    stacked = np.concatenate([np.zeros((3, 0)), *[np.reshape(_tlr(p), (3, -1)) for p in points]], 1)
    stacked = stacked[:, np.isfinite(stacked).all(axis=0)]
    if not stacked.shape[1]:
        return axes
    low = stacked.min(axis=1)
    side = 1 - low.sum()
    wanted = min(max(1.16 * side, smallest), 1)
    low = np.maximum(low - (wanted - side) / 3, 0)
    low[low.argmax()] -= wanted - (1 - low.sum())  # excess beyond the edges of the whole triangle
    axes.set_ternary_min(*np.maximum(low, 0))
    return axes


def draw_trajectory(
    axes: TernaryAxes, points: dict[str, TrianglePoint], iterations: np.ndarray, norm: Normalize
) -> TernaryAxes:
    """Draw the path of a classifier during training, coloured by iteration.

    Args:
        axes: TernaryAxes of a triangle.
        points: Points for each view of `VIEW_NAMES`, arrays of shape (E,).
        iterations: Iterations in ascending order, shape (E,).
        norm: Scaling of iterations to the colour map `COLOR_MAP`.

    Returns:
        The axes. Lines connect the points of the targets and those of the predictions. At most 24
        points are marked, including the first and the last; the last one is larger.
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
        if view == "pred":  # open circle: colour the edge instead of the face
            shades.set_edgecolor(shades.to_rgba(iterations[marked]))
            shades.set_facecolor("none")
            shades.set_array(None)
    return axes


def draw_views(axes: TernaryAxes, points: dict[str, TrianglePoint], color: str) -> TernaryAxes:
    """Draw the points of every view in one colour.

    Args:
        axes: TernaryAxes of a triangle.
        points: Points for each view of `VIEW_NAMES`, of any shape.
        color: Colour of the points.

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
    axes: TernaryAxes,
    x: tuple[float, float, float],
    y: tuple[float, float, float],
    color: str,
) -> TernaryAxes:
    """Draw a horizontal and a vertical bar from the lower to the upper limits of a point.

    Args:
        axes: TernaryAxes of a triangle.
        x: Value, lower and upper limit of the horizontal coordinate, as of
            `information.cartesian`.
        y: Value, lower and upper limit of the vertical coordinate. A bar with nan is not drawn.
        color: Colour of the bars.

    Returns:
        The axes.
    """
    for ends_x, ends_y in (((x[1], x[2]), (y[0], y[0])), ((x[0], x[0]), (y[1], y[2]))):
        if np.isfinite([ends_x, ends_y]).all():
            axes.plot(*_tlr(from_plane(ends_x, ends_y)), color=color, linewidth=1.0, zorder=3)
    return axes


def from_plane(x: ArrayLike, y: ArrayLike) -> TrianglePoint:
    """Triangle coordinates of points in the plane: the inverse of `information.cartesian`."""
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    shared = y * 2 / np.sqrt(3)
    divergence = x - shared / 2
    return TrianglePoint(divergence, shared, 1 - shared - divergence)


def view_handles(views: tuple[str, ...] = tuple(VIEW_NAMES)) -> list[Line2D]:
    """Legend entries for the markers of the views."""
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
