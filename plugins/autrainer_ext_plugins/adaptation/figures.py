"""Figures of the plugin `Adaptation`: heat maps of gains, trajectories in the entropy triangle."""

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib import rcParams
from matplotlib.colors import Normalize

from autrainer_ext.information import TrianglePoint
from autrainer_ext.plotting import draw_gains
from autrainer_ext.plotting.page import fold, page_size, panel_grid, set_title
from autrainer_ext.plotting.triangle import (
    draw_order,
    draw_trajectory,
    draw_triangle,
    triangle_page,
)
from autrainer_ext_plugins.writing import save_figure


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
        n_rows, n_columns = panel_grid(len(methods), least_mm=12 + 5.5 * len(severities))
        names = [fold(name.replace("_", " "), share=0.26) for name in corruptions]
        titles = [fold(name.replace("_", " "), share=0.7 / n_columns) for name in methods]
        n_lines = sum(1.1 + 0.8 * name.count("\n") for name in names)
        n_lines += 3.5 + max(title.count("\n") for title in titles)
        figure, axes = plt.subplots(
            n_rows,
            n_columns,
            figsize=page_size(lines=7 + n_rows * n_lines),
            squeeze=False,
            sharey=True,
        )
        limit = max(1.0, 100 * part["gain"].abs().max())
        is_complete = True
        for panel, method, heading in zip(axes.flat, methods, titles, strict=False):
            gains = 100 * part[part["method"] == method].pivot_table(
                index="corruption", columns="severity", values="gain"
            ).reindex(index=corruptions, columns=severities)
            is_complete &= bool(gains.notna().all(axis=None))
            image = draw_gains(panel, gains.to_numpy(), names, severities, limit=limit)
            panel.set_title(heading)
            panel.label_outer()
        for panel in axes.flat[len(methods) :]:
            panel.set_visible(False)
        bar = figure.colorbar(image, ax=axes, location="bottom", aspect=40)
        bar.set_label("gain over the source model in percentage points")
        left_out = "" if is_complete else "; hatched: not computed"
        set_title(figure, f"Gain in accuracy of adaptation, {_described(part)}{left_out}")
        save_figure(figure, folder / f"gain_{protocol}_{order}")


def _described(part: pd.DataFrame) -> str:
    """Protocol, order, and the number of runs and seeds."""
    counts = ((part[name].nunique(), name) for name in ("run", "seed"))
    number = ", ".join(f"{n} {name}{'s' if n > 1 else ''}" for n, name in counts)
    return f"{part['protocol'].iloc[0]}, {part['order'].iloc[0]} order, {number}"


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
        first = part.iloc[0]
        title = (
            f"Predicted classes during adaptation at severity {first['severity']}, "
            f"{_described(part)}; a line per corruption"
        )
        line = rcParams["font.size"] / 72
        figure, panels = triangle_page(len(methods), title=title, below=4 * line)
        norm = Normalize(1, part["step"].max())
        for panel, method in zip(panels, methods, strict=True):
            draw_triangle(panel, method.replace("_", " "))
            for _, path in part[part["method"] == method].groupby("corruption", sort=False):
                divergence, shared = (
                    path[name].to_numpy(dtype=float)
                    for name in ("divergence", "mutual_information")
                )
                # numbers in a file are rounded: the third coordinate makes the sum exactly one
                point = TrianglePoint(divergence, shared, 1 - divergence - shared)
                draw_trajectory(panel, {"pred": point}, path["step"].to_numpy(), norm)
        draw_order(figure, norm, "step", bottom=0.3 * line)
        save_figure(figure, folder / f"trajectories_{protocol}_{order}")
