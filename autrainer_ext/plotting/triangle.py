"""Entropy triangles, drawn on axes of the projection "ternary".

Importing this module imports mpltern, which registers the projection.

The top corner is mutual information (a perfect classifier on balanced data), the left corner
variation (guessing), the right corner divergence (a single class). Crosses show the entropies of
the targets, open circles those of the predictions, filled circles those of both together.
"""

from itertools import product

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import rcParams
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from mpltern.ternary import TernaryAxes  # registers the projection

from autrainer_ext.information import TrianglePoint, cartesian

from .looks import Look
from .page import fold, page_size, panel_grid

VIEW_NAMES = {"true": "true labels", "pred": "predicted labels", "joint": "both"}
COLOR_MAP = "viridis"
_MARKERS_AT_MOST = 24
_ORDER = {"true": 3, "joint": 4, "pred": 5}  # crosses lie below the points that they would bury


def draw_triangle(axes: TernaryAxes, title: str = "") -> TernaryAxes:
    """Draw the corner names, ticks and grid of an entropy triangle.

    Args:
        axes: TernaryAxes to draw on, projection "ternary".
        title: Title above the name of the top corner.

    Returns:
        The axes.
    """
    size = rcParams["font.size"]
    axes.set_title(title, y=1, pad=3.2 * size)  # automatic placement takes seconds
    for x, y, name, lines in (
        (0.5, 1, "mutual information", 1.9),
        (0, 0, "variation", -2.9),
        (1, 0, "divergence", -2.9),
    ):
        axes.annotate(
            name,
            (x, y),
            (0, lines * size),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            annotation_clip=False,
        )
    for side in (axes.taxis, axes.laxis, axes.raxis):
        side.set_major_locator(_InnerLocator(5, steps=[1, 2, 5, 10]))
    axes.tick_params(color="0.6", labelcolor="0.3", labelrotation="horizontal")
    axes.grid(color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


class _InnerLocator(MaxNLocator):
    """Round ticks inside of the corners, where the labels of two sides would meet."""

    def __call__(self) -> np.ndarray:
        low, high = sorted(self.axis.get_view_interval())
        ticks, margin = np.asarray(super().__call__()), 0.05 * (high - low)
        return ticks[(ticks > low + margin) & (ticks < high - margin)]


def triangle_page(n: int, *, title: str, below: float = 0.0) -> tuple[Figure, list[TernaryAxes]]:
    """Make a figure of empty triangles, as many beside each other as the width permits.

    Args:
        n: Number of triangles, at least one.
        title: Title of the figure.
        below: Height in inches that stays free below the triangles.

    Returns:
        Figure of the width that is set in matplotlib, and its axes row by row. All places are
        fixed: there is no layout to compute.
    """
    n_rows, n_columns = panel_grid(n, least_mm=40)
    line = rcParams["font.size"] / 72
    width = page_size()[0]
    panel = width / n_columns
    side = min(panel - 7 * line, 60 / 25.4)
    row = 0.5 * 3**0.5 * side + 9 * line
    title = fold(title)
    height = 0.5 * line + 1.25 * line * (title.count("\n") + 1) + n_rows * row + below
    figure = plt.figure(figsize=(width, height))
    figure.set_layout_engine("none")
    figure.suptitle(title, y=1 - 0.4 * line / height, va="top")
    triangles = []
    for place in range(n):
        left = (place % n_columns + 0.5) * panel - side / 2
        bottom = below + (n_rows - 1 - place // n_columns) * row + 4 * line
        box = (left / width, bottom / height, side / width, 0.5 * 3**0.5 * side / height)
        triangles.append(figure.add_axes(box, projection="ternary"))
    return figure, triangles


def draw_order(figure: Figure, norm: Normalize, label: str, *, bottom: float) -> None:
    """Draw the colour bar of trajectories.

    Args:
        figure: Figure of `triangle_page`.
        norm: Scaling of iterations or steps to colours.
        label: Name of the unit of `norm`.
        bottom: Height in inches below the bar; the bar with its label takes 3.5 lines of text.
    """
    line = rcParams["font.size"] / 72
    height = figure.get_figheight()
    axes = figure.add_axes((0.2, (bottom + 2.8 * line) / height, 0.6, 0.5 * line / height))
    bar = figure.colorbar(ScalarMappable(norm, COLOR_MAP), cax=axes, orientation="horizontal")
    bar.set_label(label)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=bool(np.ptp(axes.get_xlim()) >= 2)))


def enlarge(axes: TernaryAxes, points: list[TrianglePoint], most: int = 5) -> TernaryAxes:
    """Zoom in on a triangle of the same orientation that contains all points.

    Args:
        axes: TernaryAxes of a triangle.
        points: Points to show; nan is ignored. Without points the whole triangle is shown.
        most: Largest zoom. Zooms are whole numbers.

    Returns:
        The axes. If they are zoomed, an inset shows which part of the whole is visible, with the
        zoom.
    """
    stacked = np.concatenate([np.zeros((3, 0)), *[np.reshape(_tlr(p), (3, -1)) for p in points]], 1)
    stacked = stacked[:, np.isfinite(stacked).all(axis=0)]
    if not stacked.shape[1]:
        return axes
    low = stacked.min(axis=1)
    side = 1 - low.sum()
    zoom = max(k for k in range(1, most + 1) if k == 1 or 1.16 * side <= 1 / k)
    low = np.maximum(low - (1 / zoom - side) / 3, 0)
    low[low.argmax()] -= 1 / zoom - (1 - low.sum())  # excess beyond the edges of the whole triangle
    low = np.maximum(low, 0)
    axes.set_ternary_min(*low)
    if zoom > 1:
        _draw_inset(axes, low, zoom)
    return axes


def _draw_inset(axes: TernaryAxes, low: np.ndarray, zoom: int) -> None:
    """Draw the whole triangle with its visible part in the upper right corner of the axes."""
    whole = np.eye(3)
    part = low + whole / zoom
    inset = axes.inset_axes((0.88, 0.72, 0.2, 0.2))
    for corners, color in ((whole, "none"), (part, "0.35")):
        mutual, variation, divergence = corners.T
        x, y = cartesian(TrianglePoint(divergence, mutual, variation))
        inset.fill(x, y, facecolor=color, edgecolor="0.35", linewidth=0.6)
    inset.set_aspect("equal")
    inset.axis("off")
    inset.set_title(f"enlarged\n{zoom} times", fontsize="small", pad=2)


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
            s=np.where(is_last[marked], 30, 8) * (0.4 if view == "joint" else 1),
            linewidths=0.8,
            zorder=_ORDER[view],
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
            s={"true": 9, "pred": 26, "joint": 8}[view],
            linewidths=0.6 if view == "true" else 1.0,
            zorder=_ORDER[view],
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
