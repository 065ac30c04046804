"""Figures of the plugin `Adaptation`: heat maps of gains, trajectories in the entropy triangle."""

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from autrainer_ext.information import TrianglePoint
from autrainer_ext.plotting import draw_gains
from autrainer_ext.plotting.triangle import COLOR_MAP, draw_trajectory, draw_triangle
from autrainer_ext_plugins.writing import save_figure

_COLUMNS = 3


def write_gains(table: pd.DataFrame, folder: Path) -> None:
    """Write one figure per protocol and order, with one heat map per method.

    Args:
        table: Table of `results.csv`; gains are averaged over runs and seeds.
        folder: Folder to write the figures `gain_PROTOCOL_ORDER` to.
    """
    for (protocol, order), part in table.groupby(["protocol", "order"], sort=False):
        methods = [method for method in part["method"].unique() if method != "source"]
        if not methods:
            continue
        corruptions = list(part["corruption"].unique())
        severities = sorted(part["severity"].unique())
        n_columns = min(len(methods), _COLUMNS)
        n_rows = -(-len(methods) // n_columns)
        figure, axes = plt.subplots(
            n_rows,
            n_columns,
            figsize=(
                1.9 + n_columns * max(1.35, 0.5 + 0.42 * len(severities)),
                n_rows * (1.0 + 0.24 * len(corruptions)),
            ),
            squeeze=False,
            sharey=True,
            layout="constrained",
        )
        limit = max(1.0, 100 * part["gain"].abs().max())
        for panel, method in zip(axes.flat, methods, strict=False):
            gains = 100 * part[part["method"] == method].pivot_table(
                index="corruption", columns="severity", values="gain"
            ).reindex(index=corruptions, columns=severities)
            image = draw_gains(panel, gains.to_numpy(), corruptions, severities, limit=limit)
            panel.set_title(method.replace(" ", "\n").replace("_", " "), fontsize=8)
        for panel in axes.flat[len(methods) :]:
            panel.set_visible(False)
        bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30)
        bar.set_label("gain over the source model in points", fontsize=8)
        bar.ax.tick_params(labelsize=8)
        save_figure(figure, folder / f"gain_{protocol}_{order}")


def write_trajectories(traces: pd.DataFrame, folder: Path) -> None:
    """Write one figure per protocol and order, with one entropy triangle per method.

    Args:
        traces: Table of `trajectories.csv`; only the first run and seed at the highest severity
            are drawn.
        folder: Folder to write the figures `trajectories_PROTOCOL_ORDER` to.
    """
    for (protocol, order), part in traces.groupby(["protocol", "order"], sort=False):
        part = part[(part["run"] == part["run"].iloc[0]) & (part["seed"] == part["seed"].iloc[0])]
        part = part[part["severity"] == part["severity"].max()]
        methods = list(part["method"].unique())
        n_columns = min(len(methods), _COLUMNS)
        n_rows = -(-len(methods) // n_columns)
        figure, axes = plt.subplots(
            n_rows,
            n_columns,
            figsize=(0.9 + 3.3 * n_columns, 3.4 * n_rows),
            squeeze=False,
            subplot_kw={"projection": "ternary"},
        )
        right = 1 - 1.3 / figure.get_figwidth()
        figure.subplots_adjust(
            0.5 / figure.get_figwidth(),
            0.55 / figure.get_figheight(),
            right,
            1 - 0.75 / figure.get_figheight(),
            wspace=0.45,
            hspace=0.65,
        )
        norm = Normalize(1, part["step"].max())
        for panel, method in zip(axes.flat, methods, strict=False):
            draw_triangle(panel, method.replace("_", " "))
            for _, path in part[part["method"] == method].groupby("corruption", sort=False):
                divergence, shared = (
                    path[name].to_numpy(dtype=float)
                    for name in ("divergence", "mutual_information")
                )
                # numbers in a file are rounded: the third coordinate makes the sum exactly one
                point = TrianglePoint(divergence, shared, 1 - divergence - shared)
                draw_trajectory(panel, {"pred": point}, path["step"].to_numpy(), norm)
        for panel in axes.flat[len(methods) :]:
            panel.set_visible(False)
        beside = figure.add_axes((right + 0.6 / figure.get_figwidth(), 0.25, 0.012, 0.5))
        shades = plt.cm.ScalarMappable(norm, COLOR_MAP)
        bar = figure.colorbar(shades, cax=beside, ticks=MaxNLocator(integer=True))
        bar.set_label("step", fontsize=8)
        bar.ax.tick_params(labelsize=8)
        save_figure(figure, folder / f"trajectories_{protocol}_{order}")
