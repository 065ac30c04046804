"""Figures of the plugin `LatentSpace`: scores over layers, persistence diagrams, maps."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.plotting.latent import draw_diagrams, draw_layers, draw_projection
from autrainer_ext.plotting.page import fold, page_size, panel_grid, set_title
from autrainer_ext.runs import run_labels
from autrainer_ext_plugins.writing import save_figure

_NAMES = {"tsne": "t-SNE", "isomap": "Isomap", "umap": "UMAP"}
_SCORES = {
    "class_probe": "linear probe, class",
    "device_probe": "linear probe, device",
    "class_on_other_devices": "same class nearest on other device",
}


def draw_everything(
    scores: pd.DataFrame,
    diagrams: dict[tuple[str, str], list[np.ndarray]],
    maps: dict[tuple[str, str], pd.DataFrame],
    folder: Path,
) -> None:
    """Draw and save all figures.

    Args:
        scores: Table of `separability.csv`.
        diagrams: Persistence diagrams of clusters and loops, by run and layer.
        maps: Coordinates with the columns that colour them, by run and layer.
        folder: Folder to write to.
    """
    of_models = scores.groupby("model", sort=False) if len(scores) else ()
    for model, rows in of_models:
        for part, figure in enumerate(_layer_figures(rows, str(model))):
            suffix = f"-{part + 1}" if part else ""
            save_figure(figure, folder / f"layers_{model}{suffix}")
    for run in dict.fromkeys(run for run, _ in diagrams):
        of_run = {layer: parts for (name, layer), parts in diagrams.items() if name == run}
        save_figure(_diagram_figure(of_run, run), folder / f"persistence_{run}")
    for (run, layer), table in maps.items():
        methods = [name.removesuffix("_x") for name in map(str, table) if name.endswith("_x")]
        if methods:
            title = f"Embeddings of layer {layer} of {run}, test (n = {len(table)})"
            save_figure(_map_figure(table, methods, title), folder / f"map_{run}_{layer}")


def _layer_figures(rows: pd.DataFrame, model: str) -> list[Figure]:
    """Figures of the scores over the layers of one model, with up to eight runs each."""
    runs = list(dict.fromkeys(rows["run"]))
    labels = dict(zip(runs, run_labels(runs), strict=True))
    return [
        _layer_figure(rows[rows["run"].isin(runs[start : start + 8])], labels, model)
        for start in range(0, len(runs), 8)
    ]


def _layer_figure(rows: pd.DataFrame, labels: dict[str, str], model: str) -> Figure:
    layers = list(dict.fromkeys(rows["layer"]))
    titles = {score: title for score, title in _SCORES.items() if (rows["score"] == score).any()}
    shown = [labels[run] for run in dict.fromkeys(rows["run"])]
    n_columns = 1 if max(map(len, shown)) > 28 else 2
    n_rows, across = panel_grid(len(titles), least_mm=50)
    n_lines = 6 + 3 * n_rows + len(shown) / n_columns
    figure, panels = plt.subplots(
        n_rows,
        across,
        figsize=page_size(share=0.4 * n_rows / across, lines=n_lines),
        squeeze=False,
        sharex=True,
    )
    for axes in panels.flat[len(titles) :]:
        axes.set_visible(False)
    for axes, (score, title) in zip(panels.flat, titles.items(), strict=False):
        of_score = rows[rows["score"] == score]
        lines = {
            labels[run]: tuple(
                part.set_index("layer").reindex(layers)[name].to_numpy(float)
                for name in ("value", "low", "high")
            )
            for run, part in of_score.groupby("run", sort=False)
        }
        draw_layers(axes, layers, lines, of_score["chance"].mean(), title)
    handles, names = panels[0, 0].get_legend_handles_labels()
    names = [fold(name, share=0.9 / n_columns) for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=n_columns)
    set_title(figure, f"Scores of the layers of {model} (0 to 1), test, 95 % intervals")
    return figure


def _diagram_figure(diagrams: dict[str, list[np.ndarray]], run: str) -> Figure:
    height, width = panel_grid(len(diagrams), least_mm=38)
    figure, panels = plt.subplots(
        height,
        width,
        figsize=page_size(share=height / width, lines=5 + height),
        squeeze=False,
    )
    for axes in panels.flat[len(diagrams) :]:
        axes.set_visible(False)
    for axes, (layer, parts) in zip(panels.flat, diagrams.items(), strict=False):
        draw_diagrams(axes, parts, layer)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    set_title(figure, f"Persistence of {run}: distances in median distances")
    return figure


def _map_figure(table: pd.DataFrame, methods: list[str], title: str) -> Figure:
    """Maps of a layer: one row per colouring, one column per method."""
    columns = map(str, table)
    shown = [name for name in columns if name != "index" and not name.endswith(("_x", "_y"))]
    figure, panels = plt.subplots(
        len(shown),
        len(methods),
        figsize=page_size(share=0.9 * len(shown) / len(methods), lines=5 + 3 * len(shown)),
        squeeze=False,
    )
    for row, name in zip(panels, shown, strict=True):
        for number, (axes, method) in enumerate(zip(row, methods, strict=True)):
            points = table[[f"{method}_x", f"{method}_y"]].to_numpy()
            heading = f"{_NAMES[method]}, {name}"
            draw_projection(axes, points, table[name].to_numpy(), heading, legend=number == 0)
    set_title(figure, title)
    return figure
