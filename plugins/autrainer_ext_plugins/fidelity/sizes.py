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
from autrainer_ext.plotting import looks
from autrainer_ext.plotting.page import page_size, panel_grid, set_title
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
    explainers = list(sizes["explainer"].unique())
    n_rows, n_columns = panel_grid(len(CURVE_MEASURES), least_mm=55)
    n_lines = 6 + 2 * n_rows + 0.5 * len(explainers)
    figure, panels = plt.subplots(
        n_rows,
        n_columns,
        figsize=page_size(share=0.45 * n_rows / n_columns, lines=n_lines),
        squeeze=False,
        sharex=True,
    )
    axes = panels.ravel()[: len(CURVE_MEASURES)]
    for axis, name in zip(axes, CURVE_MEASURES, strict=True):
        measure = MEASURES[name]
        groups = sizes.groupby("explainer", sort=False)
        for (explainer, rows), look in zip(groups, looks(len(explainers)), strict=True):
            colour = look.color
            curve = rows.groupby("kept_energy_share")[[name, f"{name}_floor"]].mean()
            half = 1.96 * rows.groupby("kept_energy_share")[name].sem().to_numpy()
            shares = 100 * curve.index.to_numpy(float)
            means = curve[name].to_numpy(float)
            axis.plot(shares, means, color=colour, marker=look.marker, label=explainer)
            if np.isfinite(half).all():
                low, high = np.clip([means - half, means + half], measure.lowest, measure.highest)
                axis.fill_between(shares, low, high, color=colour, alpha=0.15)
            axis.plot(shares, curve[f"{name}_floor"], color=colour, linestyle=":")
        better = "higher" if measure.higher_is_better else "lower"
        axis.set_title(f"{name} ({better} is better)")
        unit = " in %" if measure.highest == 100 else ""
        axis.set(xlabel="kept level in %", ylabel=f"{name}{unit}")
        axis.label_outer()
    axes[0].plot([], [], color="grey", linestyle=":", label="random order")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    n_clips = len(sizes.drop_duplicates(["run", "noise", "filename"]))
    title = f"Fidelity of explanations by size: mean of {n_clips} clips, 95 % intervals"
    set_title(figure, title)
    return figure
