"""Table of results per recording device."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes


def draw_device_table(
    axes: Axes,
    values: np.ndarray,
    half_widths: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    blocks: Mapping[str, int],
) -> Axes:
    """Draw a table as coloured cells, with gaps between blocks of columns.

    Args:
        axes: Axes to draw on.
        values: Values in per cent, shape (rows, columns). nan leaves a cell empty. With more than
            eight columns they are rounded to whole per cent.
        half_widths: Half the widths of the intervals, shape (rows, columns). nan is not printed.
        rows: Labels of the rows.
        columns: Labels of the columns.
        blocks: Heading of every block and its number of columns, at least one. The numbers add
            up to the number of columns.

    Returns:
        The axes.
    """
    gaps = np.repeat(np.arange(len(blocks)), list(blocks.values()))
    centres = np.arange(len(columns)) + 0.35 * gaps
    low, high = np.nanmin(values), np.nanmax(values)
    digits = 1 if len(columns) <= 8 else 0
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        share = (value - low) / max(high - low, 1e-9)
        x, color = centres[column], "white" if share > 0.6 else "black"
        extent = (x - 0.5, x + 0.5, row + 0.5, row - 0.5)
        axes.imshow([[share]], extent=extent, cmap="Blues", vmin=-0.1, vmax=1.1)
        width = half_widths[row, column]
        style: dict[str, Any] = {"ha": "center", "color": color}
        axes.text(x, row, f"{value:.{digits}f}", va="bottom", fontsize="small", **style)
        if not np.isnan(width):
            text = f"±{width:.{digits}f}"
            axes.text(x, row + 0.08, text, va="top", fontsize="x-small", **style)
    axes.set_xlim(-0.5, centres[-1] + 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_aspect("auto")
    axes.set_xticks(centres, columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for number, heading in enumerate(blocks):
        middle = centres[gaps == number].mean()
        axes.text(middle, -0.6, heading, ha="center", va="bottom")
    return axes
