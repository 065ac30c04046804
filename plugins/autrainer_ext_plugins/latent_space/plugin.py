"""Plugin `LatentSpace`: what the layers of the models make of the test split."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.errors import unknown_name
from autrainer_ext.intervals import mean_interval
from autrainer_ext.latent import (
    PROJECTIONS,
    diagram_distances,
    nearest_on_other_devices,
    persistence_diagrams,
    probe,
    project,
    silhouette,
    subsample,
    summarise_diagram,
)
from autrainer_ext.runs import Run, read_metadata
from autrainer_ext_plugins.conditions import (
    check_column,
    contributions,
    difference_table,
    parallel_groups,
)
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import write_table

from .figures import draw_everything

DIMENSIONS = ("clusters", "loops")


@dataclass(frozen=True)
class Space:
    """Embeddings of a layer of a run.

    Attributes:
        run: Name of the run.
        model: Id of its model.
        layer: Name of the layer.
        is_drawn: Whether it is shown in the plane.
        embeddings: Shape (N, D).
        table: Rows of the test table, length N.
        names: File of every sample, shape (N,).
        classes: Class of every sample, shape (N,).
        devices: Device of every sample, shape (N,).
        groups: Group of parallel recordings, shape (N,), or None.
    """

    run: str
    model: str
    layer: str
    is_drawn: bool
    embeddings: np.ndarray
    table: pd.DataFrame
    names: np.ndarray
    classes: np.ndarray
    devices: np.ndarray
    groups: np.ndarray | None


class LatentSpace(AbstractPlugin):
    """Class and device in the embeddings of every layer: numbers, maps and persistent homology.

    The best model of every run sees the test split, or a random part of it. Files:

    - `separability.csv`: per run and layer the accuracy of a linear probe for class and for
      device (cross-validated), the silhouette of either, and `class_on_other_devices`, the share
      of recordings whose nearest one on another device is of the same class; with the ends of 95 %
      intervals, and what chance would give.
    - `separability_differences.csv`: for these scores every pair of conditions (runs that differ in
      more than the seed) against each other, as in `Devices`.
    - `persistence.csv`, `diagrams.csv`: persistence diagrams of every layer and their summaries.
    - `diagram_distances.csv`: bottleneck and Wasserstein distance of the diagrams of any two runs
      in the layers that are drawn and that both have.
    - `coordinates/RUN_LAYER.csv` with figures of the same name: maps of the drawn layers.
    - `layers_MODEL`, `persistence_RUN`: figures of the scores over the layers and of the diagrams.

    Intervals are over samples, or over groups of parallel recordings if there are any, which are
    also kept in one fold of the probes.

    Args:
        layers: Names of modules, for all runs. Default: the outer layers of each model.
        drawn: Layers to draw. Default: the last but one.
        points: Most samples, drawn at random from the test split: up to 20,000 take minutes.
        persistence_points: Most samples of those for persistence diagrams.
        methods: Of "tsne", "isomap" and "umap" the maps to draw; none for numbers only.
        column: Column of the data set's tables with the device.
        group: Column, or columns, whose values parallel recordings share. Default: what the run
            was configured with as `parallel_group`, if it was.
        colors: Columns that colour the maps, besides class and device, where they exist.
        max_values: Longest embedding; larger maps are averaged until they fit.
        checkpoint: Folder of the weights within the run.
        seed: Seed of all that is drawn.

    Raises:
        ValueError: If a setting is out of range or UMAP is not installed.
    """

    folder: ClassVar[str] = "latent"

    def __init__(
        self,
        layers: list[str] | None = None,
        drawn: list[str] | None = None,
        points: int = 2000,
        persistence_points: int = 300,
        methods: Sequence[str] = ("tsne", "isomap"),
        column: str = "device",
        group: str | list[str] | None = None,
        colors: Sequence[str] = ("city", "difficulty"),
        max_values: int = 4096,
        checkpoint: str = "_best",
        seed: int = 0,
    ) -> None:
        for name, value in (("points", points), ("persistence_points", persistence_points)):
            if value < 4:
                raise ValueError(f"{name} must be at least 4, got {value}.")
        for method in methods:
            if method not in PROJECTIONS:
                raise unknown_name("projection", method, PROJECTIONS)
        if "umap" in methods and find_spec("umap") is None:
            raise ValueError("methods: umap needs umap-learn, which is not installed.")
        unknown = sorted(set(drawn or []) - set(layers or drawn or []))
        if unknown:
            raise unknown_name("layer to draw", unknown[0], layers)
        self.layers = layers
        self.drawn = drawn
        self.points = points
        self.persistence_points = persistence_points
        self.methods = methods
        self.column = column
        self.group = group
        self.colors = colors
        self.max_values = max_values
        self.checkpoint = checkpoint
        self.seed = seed

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Write the tables and figures.

        Raises:
            ValueError: If a run cannot be loaded, a table lacks a column or a model a layer.
        """
        scores, summaries, values, diagrams, maps = [], [], {}, {}, {}
        for run in tqdm(runs, desc="LatentSpace", unit="run"):
            for space in self._spaces(run):
                key = (run.name, space.layer)
                for row, shares in self._scores(space):
                    scores.append(row)
                    values.setdefault((space.layer, row["score"]), {})[run.name] = shares
                diagrams[key] = self._diagrams(space)
                summaries += [
                    {"run": run.name, "layer": space.layer, "dimension": dimension}
                    | {"n_samples": min(len(space.table), self.persistence_points)}
                    | asdict(summarise_diagram(diagram))
                    for dimension, diagram in zip(DIMENSIONS, diagrams[key], strict=True)
                ]
                if space.is_drawn:
                    maps[key] = self._coordinates(space)
        tables = {
            "separability": pd.DataFrame(scores),
            "separability_differences": difference_table(runs, values, ["layer", "score"]),
            "persistence": pd.DataFrame(summaries),
            "diagrams": _diagram_table(diagrams),
            "diagram_distances": _distance_table(diagrams, set(maps)),
        }
        for name, table in tables.items():
            write_table(table, folder / f"{name}.csv")
        for (run_name, layer), table in maps.items():
            write_table(table, folder / "coordinates" / f"{run_name}_{layer}.csv")
        draw_everything(tables["separability"], diagrams, maps, folder)

    def _spaces(self, run: Run) -> list[Space]:
        """Embeddings of the layers of a run."""
        import torch
        from torch.utils.data import DataLoader, Subset

        from autrainer_ext.latent import embed, outer_layers
        from autrainer_ext.runs.load import load_run

        try:
            loaded = load_run(run, self.checkpoint)
        except Exception as error:  # whatever a data set of the user raises
            reason = getattr(error, "__cause__", None) or error
            raise ValueError(f"'{run.name}' cannot be loaded: {reason}") from error
        data, table = loaded.data, read_metadata(run, "test")
        check_column(table, self.column, run)
        kept = subsample(len(table), self.points, self.seed)
        if len(kept) < len(table):
            tqdm.write(f"'{run.name}': {len(kept)} of {len(table)} test samples, drawn at random.")
        batches = DataLoader(
            Subset(data.test_dataset, kept.tolist()),
            batch_size=data.inference_batch_size,
            collate_fn=data.test_transform.get_collate_fn(data),
        )
        layers = list(self.layers or outer_layers(loaded.model))
        layers += [layer for layer in self.drawn or [] if layer not in layers]
        with torch.random.fork_rng(devices=[]):
            features = (features for features, *_ in batches)
            try:
                found = embed(loaded.model, layers, features, max_values=self.max_values)
            except ValueError as error:
                raise ValueError(f"'{run.name}': {error}") from error
        rows = table.iloc[kept].reset_index(drop=True)
        return [
            Space(
                run=run.name,
                model=str(run.config["model"]["id"]),
                layer=layer,
                is_drawn=layer in (self.drawn or layers[-2:][:1]),
                embeddings=found[layer],
                table=rows.assign(index=kept),
                names=rows[run.config["dataset"]["index_column"]].to_numpy(str),
                classes=rows[run.config["dataset"]["target_column"]].to_numpy(str),
                devices=rows[self.column].to_numpy(str),
                groups=parallel_groups(rows, run, self.group),
            )
            for layer in layers
        ]

    def _scores(self, space: Space) -> list[tuple[dict, pd.Series]]:
        """Rows of the table of scores, and what every recording contributes to them."""
        z, classes, devices, groups = space.embeddings, space.classes, space.devices, space.groups
        values = {
            "class_probe": probe(z, classes, groups, seed=self.seed),
            "device_probe": probe(z, devices, groups, seed=self.seed),
            "class_silhouette": silhouette(z, classes),
            "device_silhouette": silhouette(z, devices),
            "class_on_other_devices": nearest_on_other_devices(z, classes, devices, groups),
        }
        chance = {
            "class_probe": 1 / len(np.unique(classes)),
            "device_probe": 1 / len(np.unique(devices)),
            "class_on_other_devices": _chance_on_other_devices(classes, devices),
        }
        rows = []
        for name, per_sample in values.items():
            known = ~np.isnan(per_sample)
            shares = contributions(
                pd.Series(per_sample[known], index=space.names[known]),
                None if groups is None else groups[known],
            )
            low, high = mean_interval(shares)
            row = {
                "run": space.run,
                "model": space.model,
                "layer": space.layer,
                "n_values": z.shape[1],
                "n_samples": int(known.sum()),
                "score": name,
                "value": shares.mean(),
                "low": low,
                "high": high,
                "chance": chance.get(name, np.nan),
            }
            rows.append((row, shares))
        return rows

    def _diagrams(self, space: Space) -> list[np.ndarray]:
        kept = subsample(len(space.embeddings), self.persistence_points, self.seed)
        return persistence_diagrams(space.embeddings[kept])

    def _coordinates(self, space: Space) -> pd.DataFrame:
        """Maps of a layer beside what colours them."""
        shown = {"index": space.table["index"], "class": space.classes, "device": space.devices}
        shown |= {name: space.table[name] for name in self.colors if name in space.table}
        table = pd.DataFrame(shown)
        for method in self.methods:
            points = project(space.embeddings, method, seed=self.seed)
            table[f"{method}_x"], table[f"{method}_y"] = points.T
        return table


def _chance_on_other_devices(classes: np.ndarray, devices: np.ndarray) -> float:
    """Mean share of the own class among the recordings on other devices."""
    counts = pd.crosstab(classes, devices).to_numpy()
    others = counts.sum() - counts.sum(axis=0)
    of_class = counts.sum(axis=1, keepdims=True) - counts
    shares = np.divide(of_class, others, out=np.zeros(counts.shape), where=others > 0)
    weights = counts * (others > 0)
    return float((shares * weights).sum() / weights.sum()) if weights.any() else np.nan


def _diagram_table(diagrams: dict[tuple[str, str], list[np.ndarray]]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(diagram, columns=["birth", "death"]).assign(
            run=run, layer=layer, dimension=dimension
        )
        for (run, layer), found in diagrams.items()
        for dimension, diagram in zip(DIMENSIONS, found, strict=True)
    ]
    return pd.concat(parts)[["run", "layer", "dimension", "birth", "death"]]


def _distance_table(
    diagrams: dict[tuple[str, str], list[np.ndarray]], drawn: set[tuple[str, str]]
) -> pd.DataFrame:
    pairs = [
        (first, second) for first, second in combinations(sorted(drawn), 2) if first[1] == second[1]
    ]
    rows = []
    for first, second in tqdm(pairs, desc="Distances of diagrams", leave=False):
        for number, dimension in enumerate(DIMENSIONS):
            bottleneck, wasserstein = diagram_distances(
                diagrams[first][number], diagrams[second][number]
            )
            rows.append((first[1], dimension, first[0], second[0], bottleneck, wasserstein))
    columns = ["layer", "dimension", "first_run", "second_run", "bottleneck", "wasserstein"]
    return pd.DataFrame(rows, columns=columns)
