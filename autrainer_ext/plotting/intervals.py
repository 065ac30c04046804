"""Values with their intervals, one row per value."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .looks import Look


def draw_intervals(
    axes: Axes,
    values: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    looks: list[Look],
    *,
    marker: str = "",
    is_open: bool = False,
    shift: float = 0.0,
) -> Axes:
    """Draw one value per row, top row first, with a bar from its lower to its upper limit.

    Args:
        axes: Axes to draw on.
        values: Values, shape (R,).
        low: Lower limits, shape (R,); nan draws no bar. A limit may lie above its value.
        high: Upper limits, shape (R,).
        looks: Colour, marker and line style of every row.
        marker: Marker of all rows instead of theirs.
        is_open: Whether markers are outlines.
        shift: Offset below the middle of the row, in rows.

    Returns:
        The axes. Rows are numbered 0 to R - 1 from the top.
    """
    rows = np.arange(len(values)) + shift
    for row, value, start, end, look in zip(rows, values, low, high, looks, strict=True):
        axes.plot([start, end], [row, row], color=look.color, linestyle=look.line)
        axes.plot(
            value,
            row,
            color=look.color,
            marker=marker or look.marker,
            markerfacecolor="none" if is_open else look.color,
            zorder=3,
        )
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    return axes
