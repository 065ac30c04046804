"""Figures of the plugin `LatentSpace`: scores over layers, persistence diagrams, maps."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.plotting.latent import draw_diagrams, draw_layers, draw_projection
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
        for part, figure in enumerate(_layer_figures(rows)):
            suffix = f"-{part + 1}" if part else ""
            save_figure(figure, folder / f"layers_{model}{suffix}")
    for run in dict.fromkeys(run for run, _ in diagrams):
        of_run = {layer: parts for (name, layer), parts in diagrams.items() if name == run}
        save_figure(_diagram_figure(of_run, run), folder / f"persistence_{run}")
    for (run, layer), table in maps.items():
        methods = [name.removesuffix("_x") for name in map(str, table) if name.endswith("_x")]
        if methods:
            figure = _map_figure(table, methods, f"{run}\n{layer}")
            save_figure(figure, folder / "coordinates" / f"{run}_{layer}")


def _layer_figures(rows: pd.DataFrame) -> list[Figure]:
    """Figures of the scores over the layers of one model, with up to eight runs each."""
    runs = list(dict.fromkeys(rows["run"]))
    labels = dict(zip(runs, run_labels(runs), strict=True))
    return [
        _layer_figure(rows[rows["run"].isin(runs[start : start + 8])], labels)
        for start in range(0, len(runs), 8)
    ]


def _layer_figure(rows: pd.DataFrame, labels: dict[str, str]) -> Figure:
    layers = list(dict.fromkeys(rows["layer"]))
    titles = {score: title for score, title in _SCORES.items() if (rows["score"] == score).any()}
    figure, panels = plt.subplots(
        1,
        len(titles),
        figsize=(0.5 + 3 * len(titles), 3.4),
        layout="constrained",
        squeeze=False,
    )
    panels = panels[0]
    for axes, (score, title) in zip(panels, titles.items(), strict=True):
        of_score = rows[rows["score"] == score]
        lines = {
            labels[run]: tuple(
                part.set_index("layer").reindex(layers)[name].to_numpy(float)
                for name in ("value", "low", "high")
            )
            for run, part in of_score.groupby("run", sort=False)
        }
        draw_layers(axes, layers, lines, of_score["chance"].mean(), title)
    handles, names = panels[0].get_legend_handles_labels()
    columns = 1 if max(map(len, names)) > 60 else 2
    figure.legend(
        handles, names, loc="outside lower center", ncols=columns, fontsize=7, frameon=False
    )
    return figure


def _diagram_figure(diagrams: dict[str, list[np.ndarray]], run: str) -> Figure:
    width = min(4, len(diagrams))
    height = -(-len(diagrams) // width)
    figure, panels = plt.subplots(
        height,
        width,
        figsize=(2.3 * width, 2.4 * height + 0.5),
        layout="constrained",
        squeeze=False,
    )
    for axes in panels.flat[len(diagrams) :]:
        axes.set_visible(False)
    for axes, (layer, parts) in zip(panels.flat, diagrams.items(), strict=False):
        draw_diagrams(axes, parts, layer)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(run, fontsize=8)
    return figure


def _map_figure(table: pd.DataFrame, methods: list[str], title: str) -> Figure:
    """Maps of a layer: one row per method, one column per colouring."""
    columns = map(str, table)
    shown = [name for name in columns if name != "index" and not name.endswith(("_x", "_y"))]
    figure, panels = plt.subplots(
        len(methods),
        len(shown),
        figsize=(3.2 * len(shown), 3.0 * len(methods) + 0.9),
        layout="constrained",
        squeeze=False,
    )
    for row, method in enumerate(methods):
        points = table[[f"{method}_x", f"{method}_y"]].to_numpy()
        for axes, name in zip(panels[row], shown, strict=True):
            last = row == len(methods) - 1
            draw_projection(
                axes, points, table[name].to_numpy(), name if row == 0 else "", legend=last
            )
        panels[row, 0].set_ylabel(_NAMES[method], fontsize=9)
    figure.suptitle(title, fontsize=8)
    return figure
