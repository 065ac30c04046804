"""Draw a trajectory or a summary of runs in entropy triangles."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autrainer_ext.information import VIEWS, TrianglePoint
from autrainer_ext.plotting import Look, draw_intervals, looks
from autrainer_ext.plotting.triangle import (
    COLOR_MAP,
    draw_region,
    draw_trajectory,
    draw_triangle,
    draw_views,
    enlarge,
    view_handles,
)

from .tables import shown_iterations

SPLIT_LABELS = {"train_online": "train, online"}
_COORDINATES = ("divergence", "mutual_information", "variation")

_SHIFT = 0.14  # of the two values of one row, in rows
# of the intervals: number of the panel, view, quantity and shift
_PANELS = (
    (0, "joint", "mutual_information", 0.0),
    (1, "true", "divergence", -_SHIFT),
    (1, "pred", "divergence", _SHIFT),
)


def draw_run(rows: pd.DataFrame) -> Figure:
    """Draw the trajectory of a run, one triangle per split.

    Args:
        rows: Rows of the run in the result of `coordinate_table`, for all samples.

    Returns:
        Figure.
    """
    splits = list(rows.groupby("split", sort=False))
    first, last = rows["iteration"].min(), rows["iteration"].max()
    norm = Normalize(first, last)
    figure, panels = plt.subplots(
        1,
        len(splits),
        figsize=(2.6 * len(splits) + 1, 3.3),
        subplot_kw={"projection": "ternary"},
        layout="constrained",
        squeeze=False,
    )
    for axes, (split, part) in zip(panels[0], splits, strict=True):
        ordered = part.sort_values("iteration", kind="stable")
        points = {view: _point(ordered[ordered["view"] == view]) for view in VIEWS}
        iterations = np.sort(part["iteration"].unique())
        draw_triangle(axes, SPLIT_LABELS.get(str(split), str(split)))
        draw_trajectory(axes, points, iterations, norm)
        enlarge(axes, list(points.values()))
    if first < last:
        bar = figure.colorbar(ScalarMappable(norm, COLOR_MAP), ax=panels[0], shrink=0.6, pad=0.03)
        bar.set_label("iteration", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    _finish(figure, rows["run"].iloc[0])
    return figure


def draw_summary(ends: pd.DataFrame, rows: pd.DataFrame | None, title: str) -> Figure:
    """Draw points with intervals: in a triangle, and beside it with one line per label.

    The triangle shows the values of the samples, with the region of the intervals of the predicted
    classes; the lines show the corrected values with their intervals.

    Args:
        ends: Rows of the result of `summary_table` with an additional column `label`; each label
            has three rows, one per view.
        rows: Coordinates of all iterations, for trajectories and for the single runs of labels
            with two runs, which have no interval; None draws neither.
        title: Title of the figure.

    Returns:
        Figure.
    """
    keys = list(ends["label"].unique())
    figure = plt.figure(figsize=(7.2, max(3, 1.1 + 0.19 * len(keys))), layout="constrained")
    grid = figure.add_gridspec(1, 3, width_ratios=(2.1, 1, 1))
    triangle = draw_triangle(figure.add_subplot(grid[0], projection="ternary"))
    own = looks(len(keys))
    by_view = {view: ends[ends["view"] == view].set_index("label").loc[keys] for view in VIEWS}
    shown: list[TrianglePoint] = []
    for key, look in zip(keys, own, strict=True):
        row = {view: by_view[view].loc[key] for view in VIEWS}
        points = {view: _point(row[view]) for view in VIEWS}
        draw_views(triangle, points, look)
        shown += points.values()
        limits = row["pred"][[f"{c}_{end}" for c in _COORDINATES for end in ("low", "high")]]
        shown.append(draw_region(triangle, np.reshape(limits.to_numpy(float), (3, 2)), look))
        if rows is not None:
            family = rows[rows["family"] == row["pred"]["family"]]
            shown.append(_draw_mean_trajectory(triangle, family, look))
    enlarge(triangle, shown)
    first = figure.add_subplot(grid[1])
    second = figure.add_subplot(grid[2], sharey=first)
    draw_intervals(first, *_limits(by_view["joint"], "mutual_information"), own)
    true, pred = (_limits(by_view[view], "divergence") for view in ("true", "pred"))
    draw_intervals(second, *true, own, shift=-_SHIFT, marker="x")
    draw_intervals(second, *pred, own, shift=_SHIFT, is_open=True)
    if rows is not None:
        single = shown_iterations(rows, ends["checkpoint"].iloc[0])
        for number, (key, look) in enumerate(zip(keys, own, strict=True)):
            if by_view["joint"].loc[key, "n_runs"] != 2:
                continue
            family = single[single["family"] == by_view["joint"].loc[key, "family"]]
            for axes, view, quantity, shift in _PANELS:
                values = family.loc[family["view"] == view, quantity]
                height = np.full(len(values), number + shift)
                (first, second)[axes].plot(values, height, "|", color=look.color, markersize=7)
    first.set_yticks(range(len(keys)), keys)
    first.set_xlabel("mutual information", fontsize=8)
    second.set_xlabel("divergence", fontsize=8)
    second.tick_params(labelleft=False)
    _finish(figure, title)
    return figure


def _draw_mean_trajectory(triangle: Axes, rows: pd.DataFrame, look: Look) -> TrianglePoint:
    """Draw the trajectory of the predicted classes, averaged over seeds; return its points."""
    pred = rows[rows["view"] == "pred"]
    path = pred.groupby("iteration")[["divergence", "mutual_information", "variation"]].mean()
    triangle.plot(
        path["mutual_information"],
        path["variation"],
        path["divergence"],
        color=look.color,
        linestyle=look.line,
        linewidth=0.8,
        alpha=0.6,
    )
    return _point(path)


def _finish(figure: Figure, title: str) -> None:
    """Add title and legend, and compute the layout."""
    figure.suptitle(title, fontsize=9)
    figure.legend(
        handles=view_handles(), loc="outside lower center", ncols=3, frameon=False, fontsize=8
    )
    # the layout is computed once: it takes longer than drawing and would be repeated per file
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _point(row: pd.DataFrame | pd.Series) -> TrianglePoint:
    return TrianglePoint(
        np.asarray(row["divergence"], dtype=float),
        np.asarray(row["mutual_information"], dtype=float),
        np.asarray(row["variation"], dtype=float),
    )


def _limits(rows: pd.DataFrame, quantity: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, corrected if it has an interval, lower and upper limit of each row."""
    value, corrected, low, high = (
        rows[f"{quantity}{end}"].to_numpy() for end in ("", "_corrected", "_low", "_high")
    )
    return np.where(np.isnan(low), value, corrected), low, high
