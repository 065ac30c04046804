"""Heat map of the gains of test-time adaptation."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage


def draw_gains(
    axes: Axes,
    gains: np.ndarray,
    corruptions: list[str],
    severities: list[int],
    *,
    limit: float,
) -> AxesImage:
    """Draw gains over the source model in percentage points: blue is better, red is worse.

    Args:
        axes: Axes to draw on.
        gains: Gains in percentage points, shape (corruptions, severities). nan cells are hatched.
        corruptions: Name of every row.
        severities: Severity of every column.
        limit: Gain at which the colours saturate, positive.

    Returns:
        The image, for a colour bar.
    """
    image = axes.imshow(gains, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    for (row, column), gain in np.ndenumerate(gains):
        if np.isfinite(gain):
            color = "white" if abs(gain) > 0.65 * limit else "black"
            text = f"{gain:+.0f}" if abs(round(gain)) else "0"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize="small")
    axes.set_xticks(range(len(severities)), [str(severity) for severity in severities])
    axes.set_yticks(range(len(corruptions)), [name.replace("_", " ") for name in corruptions])
    axes.tick_params(length=0)
    axes.set_xlabel("severity")
    axes.patch.set(hatch="//////", edgecolor="0.6")
    return image
