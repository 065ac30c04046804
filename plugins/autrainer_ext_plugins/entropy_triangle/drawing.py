"""Draw a trajectory or a summary of runs in entropy triangles."""

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from autrainer_ext.information import VIEWS, TrianglePoint
from autrainer_ext.plotting import Look, draw_intervals, looks
from autrainer_ext.plotting.page import fold
from autrainer_ext.plotting.triangle import (
    draw_order,
    draw_region,
    draw_trajectory,
    draw_triangle,
    draw_views,
    enlarge,
    triangle_page,
    view_handles,
)

from .tables import shown_iterations

_SPLIT_LABELS = {"train_online": "train, online"}
_COORDINATES = ("divergence", "mutual_information", "variation")

_LEGEND = 2.2  # height of the legend in lines
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
        Figure; all triangles show the same part.
    """
    splits = list(rows.groupby("split", sort=False))
    first, last = rows["iteration"].min(), rows["iteration"].max()
    norm = Normalize(first, last)
    below = _LEGEND + (3.5 if first < last else 0)
    line = rcParams["font.size"] / 72
    title = f"{_name(rows.iloc[0])}: entropy triangle of every iteration, the last is larger"
    figure, panels = triangle_page(len(splits), title=title, below=below * line)
    for axes, (split, part) in zip(panels, splits, strict=True):
        ordered = part.sort_values("iteration", kind="stable")
        points = {view: _point(ordered[ordered["view"] == view]) for view in VIEWS}
        iterations = np.sort(part["iteration"].unique())
        draw_triangle(axes, f"{split_label(str(split))} (n = {part['n_samples'].max():.0f})")
        draw_trajectory(axes, points, iterations, norm)
        enlarge(axes, [_point(rows)])
    if first < last:
        draw_order(figure, norm, "iteration", bottom=_LEGEND * line)
    figure.legend(handles=view_handles(), loc="lower center", ncols=3)
    return figure


def draw_summary(ends: pd.DataFrame, rows: pd.DataFrame | None, title: str) -> Figure:
    """Draw points with intervals: in a triangle, and with one line per label.

    Points with an interval are the corrected values, which lie in their intervals. The triangle
    shows the intervals of the predicted classes as regions.

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
    names = [fold(key, share=0.3) for key in keys]
    line = rcParams["font.size"] / 72
    lowest = 2.0 if len(keys) < 9 else 1.0  # height of the rows in lines
    rows_height = line * len(keys) * (0.5 + max(lowest, *(1 + n.count("\n") for n in names)))
    below = rows_height + (4 + _LEGEND) * line
    figure, (triangle,) = triangle_page(1, title=title, below=below)
    draw_triangle(triangle)
    own = looks(len(keys))
    by_view = {view: ends[ends["view"] == view].set_index("label").loc[keys] for view in VIEWS}
    shown: list[TrianglePoint] = []
    for key, look in zip(keys, own, strict=True):
        row = {view: by_view[view].loc[key] for view in VIEWS}
        points = {view: _corrected(row[view]) for view in VIEWS}
        draw_views(triangle, points, look)
        shown += points.values()
        limits = row["pred"][[f"{c}_{end}" for c in _COORDINATES for end in ("low", "high")]]
        shown.append(draw_region(triangle, np.reshape(limits.to_numpy(float), (3, 2)), look))
        if rows is not None:
            family = rows[rows["family"] == row["pred"]["family"]]
            shown.append(_draw_mean_trajectory(triangle, family, look))
    enlarge(triangle, shown)
    height = figure.get_figheight()
    bottom, up = (4 + _LEGEND) * line / height, rows_height / height
    first = figure.add_axes((0.34, bottom, 0.29, up))
    second = figure.add_axes((0.68, bottom, 0.28, up), sharey=first)
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
                places = np.full(len(values), number + shift)
                (first, second)[axes].plot(values, places, "|", color=look.color, markersize=7)
    first.set_yticks(range(len(keys)), names)
    first.set_xlabel("mutual information")
    second.set_xlabel("divergence")
    second.tick_params(labelleft=False)
    figure.legend(handles=view_handles(), loc="lower center", ncols=3)
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
        linewidth=0.7,
        alpha=0.6,
    )
    return _point(path)


def split_label(split: str) -> str:
    """Name of a split in titles."""
    return _SPLIT_LABELS.get(split, split)


def _name(row: pd.Series) -> str:
    """Model, data set, criterion and seed of a run, or its name if they are unknown."""
    if not row["model"]:
        return str(row["run"])
    return f"{row['model']} on {row['dataset']}, {row['criterion']}, seed {row['seed']}"


def _point(row: pd.DataFrame | pd.Series) -> TrianglePoint:
    return TrianglePoint(
        np.asarray(row["divergence"], dtype=float),
        np.asarray(row["mutual_information"], dtype=float),
        np.asarray(row["variation"], dtype=float),
    )


def _corrected(row: pd.Series) -> TrianglePoint:
    """Corrected point of a row if it has intervals, else that of its samples."""
    has_intervals = row[[f"{name}_low" for name in _COORDINATES]].notna().all()
    ending = "_corrected" if has_intervals else ""
    shares = row[[f"{name}{ending}" for name in _COORDINATES]].to_numpy(float)
    return TrianglePoint(*(shares / shares.sum()))  # corrected one by one


def _limits(rows: pd.DataFrame, quantity: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, corrected if it has an interval, lower and upper limit of each row."""
    value, corrected, low, high = (
        rows[f"{quantity}{end}"].to_numpy() for end in ("", "_corrected", "_low", "_high")
    )
    return np.where(np.isnan(low), value, corrected), low, high
