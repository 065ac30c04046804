"""Entropy triangles, drawn on axes of the projection "ternary".

Importing this module imports mpltern, which registers the projection.

The top corner is mutual information (a perfect classifier on balanced data), the left corner
variation (guessing), the right corner divergence (a single class). Crosses show the entropies of
the targets, open circles those of the predictions, filled circles those of both together.
"""

from itertools import product

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from mpltern.ternary import TernaryAxes  # registers the projection

from autrainer_ext.information import TrianglePoint, cartesian

from .looks import Look

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


def draw_views(axes: TernaryAxes, points: dict[str, TrianglePoint], look: Look) -> TernaryAxes:
    """Draw the points of every view in one look.

    Args:
        axes: TernaryAxes of a triangle.
        points: Points for each view of `VIEW_NAMES`, of any shape.
        look: Colour and shape of the points: open for the predictions, filled for both together, a
            small cross for the targets.

    Returns:
        The axes.
    """
    for view, point in points.items():
        is_open = view == "pred"
        colors = {"facecolors": "none", "edgecolors": look.color}
        if not is_open:
            colors = {"color": look.color}
        axes.scatter(
            *_tlr(point),
            marker="x" if view == "true" else look.marker,
            s=26 if is_open else 13,
            linewidths=1.0,
            zorder=4,
            clip_on=False,
            **colors,
        )
    return axes


def draw_region(axes: TernaryAxes, limits: np.ndarray, look: Look) -> TrianglePoint:
    """Draw the part of the triangle in which all three coordinates lie between their limits.

    A region at the edge of the triangle ends at the edge.

    Args:
        axes: TernaryAxes of a triangle.
        limits: Lower and upper limits in [0, 1] of divergence, mutual information and variation,
            shape (3, 2).
        look: Colour and line style of the outline.

    Returns:
        Corners of the region, shape (corners,); none if a limit is nan or if no point of the
        triangle lies between all limits.
    """
    corners = _corners(limits)
    if corners.divergence.size:
        axes.fill(
            *_tlr(corners),
            facecolor=to_rgba(look.color, 0.08),
            edgecolor=to_rgba(look.color, 0.8),
            linestyle=look.line,
            linewidth=0.8,
            zorder=2,
        )
    return corners


def _corners(limits: np.ndarray) -> TrianglePoint:
    """Corners of the region between limits, counter-clockwise: two coordinates are at a limit."""
    found = []
    for free in range(3) if np.isfinite(limits).all() else ():
        fixed = [i for i in range(3) if i != free]
        for ends in product(*limits[fixed]):
            rest = 1 - sum(ends)
            if limits[free, 0] - 1e-12 <= rest <= limits[free, 1] + 1e-12:
                found.append(np.insert(ends, free, rest))
    corners = np.reshape(found, (-1, 3))
    x, y = cartesian(TrianglePoint(*corners.T))
    centre = corners.mean(axis=0) if found else np.full(3, np.nan)
    x_centre, y_centre = cartesian(TrianglePoint(*centre))
    return TrianglePoint(*corners[np.argsort(np.arctan2(y - y_centre, x - x_centre))].T)


def view_handles(views: tuple[str, ...] = tuple(VIEW_NAMES)) -> list[Line2D]:
    """Legend entries for the markers of the views."""
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            color="0.3",
            markersize=5 if view == "pred" else 3.5,
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
