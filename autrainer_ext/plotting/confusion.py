"""Confusion matrix."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes


def draw_confusion(axes: Axes, counts: np.ndarray, class_names: list[str]) -> Axes:
    """Draw a confusion matrix, each row in per cent of the samples of its true class.

    Args:
        axes: Axes to draw on.
        counts: Confusion counts, shape (C, C); rows are true classes. The row of a class without
            samples stays empty.
        class_names: Name of every class.

    Returns:
        The axes.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for (row, column), share in np.ndenumerate(shares):
        if round(share):
            color = "white" if share > 50 else "black"
            place: dict[str, Any] = {"ha": "center", "va": "center"}
            axes.text(column, row, f"{share:.0f}", color=color, fontsize="small", **place)
    ticks = range(len(class_names))
    labels = [name.replace("_", " ") for name in class_names]
    axes.set_xticks(ticks, labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.set(xlabel="predicted", ylabel="true")
    return axes
