"""Figures of entropy triangles, from the table of their coordinates."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tqdm import tqdm

from autrainer_ext.information import VIEWS, TrianglePoint
from autrainer_ext.plotting import draw_intervals
from autrainer_ext.plotting.triangle import (
    COLOR_MAP,
    COLORS,
    draw_bars,
    draw_trajectory,
    draw_triangle,
    draw_views,
    enlarge,
    from_plane,
    view_handles,
)
from autrainer_ext_plugins.writing import save_figure

from .tables import EVERYTHING, labels

_SPLIT_NAMES = {"train_online": "train, online"}
_DETAILED_AT_MOST = 8  # beyond, bars and trajectories hide the points


def write_figures(
    table: pd.DataFrame, summary: pd.DataFrame, folder: Path, *, quiet: bool = False
) -> None:
    """Draw and save everything there is to see.

    `runs/RUN`: trajectories, a triangle for every split. `criteria_SPLIT`: all families with
    their end points and intervals. `strata/COLUMN_SPLIT_FAMILY`: strata of a family at its end, on
    test data where there are any, else on the last split there is.

    Args:
        table: What `coordinate_table` returns.
        summary: What `summary_table` makes of it.
        folder: Folder to write to.
        quiet: Whether to show no progress.
    """
    overall = table[table["stratum_column"] == EVERYTHING]
    names = labels(table)
    jobs = [(folder / "runs" / _stem(run), _draw_run, (rows,)) for run, rows in _by(overall, "run")]
    for split, rows in _by(overall, "split"):
        ends = summary[(summary["split"] == split) & (summary["stratum_column"] == EVERYTHING)]
        ends = ends.assign(
            label=[_counted(names[f], n) for f, n in ends[["family", "n_runs"]].values]
        )
        title = _title(split, ends)
        jobs.append((folder / _stem(f"criteria_{split}"), _draw_ends, (ends, rows, title)))
    held_out = "test" if "test" in set(table["split"]) else table["split"].iloc[-1]
    strata = summary[(summary["stratum_column"] != EVERYTHING) & (summary["split"] == held_out)]
    for (column, split, family), ends in strata.groupby(
        ["stratum_column", "split", "family"], sort=False
    ):
        ends = ends.assign(
            label=[f"{s} (n = {n:.0f})" for s, n in ends[["stratum", "n_samples"]].values]
        )
        title = f"{names[family]} per {column}: {_title(split, ends)}"
        stem = folder / "strata" / _stem(f"{column}_{split}_{names[family]}")
        jobs.append((stem, _draw_ends, (ends, None, title)))
    for stem, draw, arguments in tqdm(jobs, desc="Figures", disable=quiet, leave=False):
        save_figure(draw(*arguments), stem)


def _draw_run(rows: pd.DataFrame) -> Figure:
    """Trajectory of a run, a triangle for every split."""
    splits = _by(rows, "split")
    norm = Normalize(rows["iteration"].min(), rows["iteration"].max())
    figure, panels = plt.subplots(
        1,
        len(splits),
        figsize=(2.6 * len(splits) + 1, 3.3),
        subplot_kw={"projection": "ternary"},
        layout="constrained",
        squeeze=False,
    )
    for axes, (split, part) in zip(panels[0], splits, strict=True):
        points = _points(part.sort_values("iteration", kind="stable"))
        iterations = np.sort(part["iteration"].unique())
        draw_triangle(axes, _SPLIT_NAMES.get(split, split))
        draw_trajectory(axes, points, iterations, norm)
        enlarge(axes, list(points.values()))
    if norm.vmin < norm.vmax:
        bar = figure.colorbar(ScalarMappable(norm, COLOR_MAP), ax=panels[0], shrink=0.6, pad=0.03)
        bar.set_label("iteration", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    _finish(figure, rows["run"].iloc[0])
    return figure


def _draw_ends(ends: pd.DataFrame, rows: pd.DataFrame | None, title: str) -> Figure:
    """End points with their intervals: in a triangle, and one line each beside it.

    Args:
        ends: Part of the summary with a column `label`, three views for every label.
        rows: Coordinates of all iterations, or None to draw no trajectories.
        title: Title of the figure.
    """
    keys = list(ends["label"].unique())
    figure = plt.figure(figsize=(7.2, max(3, 1.1 + 0.19 * len(keys))), layout="constrained")
    grid = figure.add_gridspec(1, 3, width_ratios=(2.1, 1, 1))
    triangle = draw_triangle(figure.add_subplot(grid[0], projection="ternary"))
    colors = [COLORS[number % len(COLORS)] for number in range(len(keys))]
    by_view = {view: ends[ends["view"] == view].set_index("label").loc[keys] for view in VIEWS}
    shown = []
    for number, key in enumerate(keys):
        row = {view: by_view[view].loc[key] for view in VIEWS}
        points = {view: _point(row[view]) for view in VIEWS}
        draw_views(triangle, points, colors[number])
        shown += list(points.values())
        if len(keys) > _DETAILED_AT_MOST:
            continue
        for view in ("true", "pred"):
            x, y = ([row[view][f"{name}{end}"] for end in ("", "_low", "_high")] for name in "xy")
            draw_bars(triangle, x, y, colors[number])
            shown += [from_plane(x, y[0]), from_plane(x[0], y)]
        if rows is not None:
            path = _mean_path(rows[rows["family"] == row["pred"]["family"]])
            triangle.plot(
                path["mutual_information"],
                path["variation"],
                path["divergence"],
                color=colors[number],
                linewidth=0.8,
                alpha=0.6,
            )
            shown.append(_point(path))
    enlarge(triangle, shown)
    first = figure.add_subplot(grid[1])
    second = figure.add_subplot(grid[2], sharey=first)
    draw_intervals(first, *_limits(by_view["joint"], "mutual_information"), colors)
    for view, shift, glyph in (("true", -0.14, {"marker": "x"}), ("pred", 0.14, {"is_open": True})):
        draw_intervals(second, *_limits(by_view[view], "divergence"), colors, shift=shift, **glyph)
    first.set_yticks(range(len(keys)), keys)
    first.set_xlabel("mutual information", fontsize=8)
    second.set_xlabel("divergence", fontsize=8)
    second.tick_params(labelleft=False)
    _finish(figure, title)
    return figure


def _finish(figure: Figure, title: str) -> None:
    figure.suptitle(title, fontsize=9)
    figure.legend(
        handles=view_handles(), loc="outside lower center", ncols=3, frameon=False, fontsize=8
    )
    # arranged once: arranging takes longer than drawing, and would be repeated for every file
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _by(table: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    return list(table.groupby(column, sort=False))


def _mean_path(rows: pd.DataFrame) -> pd.DataFrame:
    """Trajectory of the predicted labels, the mean over seeds."""
    pred = rows[rows["view"] == "pred"]
    return pred.groupby("iteration")[["divergence", "mutual_information", "variation"]].mean()


def _points(rows: pd.DataFrame) -> dict[str, TrianglePoint]:
    return {view: _point(rows[rows["view"] == view]) for view in VIEWS}


def _point(row: pd.DataFrame | pd.Series) -> TrianglePoint:
    return TrianglePoint(
        np.asarray(row["divergence"], dtype=float),
        np.asarray(row["mutual_information"], dtype=float),
        np.asarray(row["variation"], dtype=float),
    )


def _limits(rows: pd.DataFrame, quantity: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(rows[f"{quantity}{end}"].to_numpy() for end in ("", "_low", "_high"))


def _title(split: str, ends: pd.DataFrame) -> str:
    """What is shown of which split, and what the bars are intervals over."""
    over = [
        name
        for name, n in (("runs", ends["n_runs"] > 1), ("samples", ends["n_runs"] == 1))
        if n.any()
    ]
    parts = (
        _SPLIT_NAMES.get(split, split),
        "last saved iteration",
        f"intervals over {' or '.join(over)}",
    )
    return ", ".join(part for part in parts if part)


def _counted(name: str, n_runs: int) -> str:
    return f"{name} ({n_runs} runs)" if n_runs > 1 else name


def _stem(name: str) -> str:
    """The name as part of a file name."""
    return re.sub(r"[^\w.=+-]+", "_", str(name)).strip("_")
