"""Tables and figure of fidelity against size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.explanation.fidelity import MEASURES
from autrainer_ext.explanation.size_curves import CURVE_MEASURES
from autrainer_ext.explanation.summary import compare_explainers, summarise_sizes
from autrainer_ext_plugins.writing import save_figure, write_table


def write_sizes(
    sizes: pd.DataFrame,
    folder: Path,
    *,
    columns: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
) -> None:
    """Write the curves, their areas, the comparison of explainers, and a figure.

    Args:
        sizes: Table of `tables.size_table` for all clips.
        folder: Folder to write to: `size.csv`, `areas.csv`, `comparison.csv` (for two explainers
            or more), `size.png` and `size.svg`.
        columns: Function that adds columns to a table.
    """
    write_table(columns(sizes), folder / "size.csv")
    write_table(columns(summarise_sizes(sizes)), folder / "areas.csv")
    comparison = compare_explainers(sizes)
    if len(comparison):
        write_table(columns(comparison), folder / "comparison.csv")
    save_figure(draw_sizes(sizes), folder / "size")


def draw_sizes(sizes: pd.DataFrame) -> Figure:
    """Draw the mean curve of every explainer and of its random explanations.

    Args:
        sizes: Table of `tables.size_table` for all clips.

    Returns:
        A figure with a panel per measure, means over all clips with normal 95 % intervals;
        the caller saves and closes it.
    """
    figure, axes = plt.subplots(1, len(CURVE_MEASURES), figsize=(13, 4), layout="constrained")
    for axis, name in zip(axes, CURVE_MEASURES, strict=True):
        measure = MEASURES[name]
        for number, (explainer, rows) in enumerate(sizes.groupby("explainer", sort=False)):
            colour = f"C{number % 10}"
            curve = rows.groupby("kept_energy_share")[[name, f"{name}_floor"]].mean()
            half = 1.96 * rows.groupby("kept_energy_share")[name].sem().to_numpy()
            shares = 100 * curve.index.to_numpy(float)
            means = curve[name].to_numpy(float)
            axis.plot(shares, means, color=colour, label=explainer)
            if np.isfinite(half).all():
                low, high = np.clip([means - half, means + half], measure.lowest, measure.highest)
                axis.fill_between(shares, low, high, color=colour, alpha=0.15)
            axis.plot(shares, curve[f"{name}_floor"], color=colour, linestyle=":")
        better = "higher" if measure.higher_is_better else "lower"
        axis.set_title(f"{name} ({better} is better)")
        axis.set_xlabel("kept level in %")
    axes[0].plot([], [], color="grey", linestyle=":", label="random order")
    axes[0].legend(frameon=False, fontsize="small")
    n_clips = len(sizes.drop_duplicates(["run", "noise", "filename"]))
    figure.suptitle(f"Mean of {n_clips} clips with 95 % intervals")
    return figure
