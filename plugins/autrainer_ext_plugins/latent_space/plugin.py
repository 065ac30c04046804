"""Plugin `LatentSpace`: settings, and the loop over runs and layers."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.errors import unknown_name
from autrainer_ext.latent import PROJECTIONS, project
from autrainer_ext.runs import Run, column_folder
from autrainer_ext.serving.forward import choose_device
from autrainer_ext_plugins.conditions import difference_table
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.run_columns import with_run_columns
from autrainer_ext_plugins.writing import write_table

from .figures import draw_everything
from .scores import separability_rows
from .spaces import Space, read_spaces
from .topology import diagram_table, distance_table, space_diagrams, summary_rows


class LatentSpace(AbstractPlugin):
    """Class and device in the embeddings of every layer: scores, maps and persistent homology.

    The embeddings are those of the test split, or of a random part of it. Files:

    - `separability.csv`: scores per run and layer with 95 % intervals and the score of chance. The
      scores are the cross-validated accuracy of a linear probe for class and for device, the
      silhouette of both, and `class_on_other_devices`, the share of recordings whose nearest
      recording on another device has the same class.
    - `separability_differences.csv`: differences of these scores for every pair of conditions
      (runs that differ in more than the seed), as in `Devices`.
    - `persistence.csv`, `diagrams.csv`: persistence diagrams of every layer and their summaries.
    - `diagram_distances.csv`: bottleneck and Wasserstein distances between the diagrams of any two
      runs in the drawn layers that both have.
    - `coordinates/RUN_LAYER.csv`: maps of the drawn layers.
    - `layers_MODEL`, `persistence_RUN`, `map_RUN_LAYER`: figures of the scores over the layers, of
      the diagrams and of the maps.

    Without the column of devices, the scores of devices are left out; for multi-label data and
    regression, which have no classes, those of classes, and the maps show up to four targets.
    Results for another column than "device" are in a folder named after the column.

    Intervals are over samples, or over groups of parallel recordings if there are any. The linear
    probes keep all recordings of a group in one fold. The defaults are in
    `conf/plugin/LatentSpace.yaml`.

    Args:
        layers: Names of modules for all runs, or None for the outer layers of each model.
        drawn: Layers to draw, or None for the last but one.
        points: Largest number of samples, drawn at random from the test split, at least 4. Up to
            20,000 samples take minutes.
        persistence_points: Largest number of these samples for persistence diagrams, at least 4.
        methods: Maps to draw, of "tsne", "isomap" and "umap"; empty for scores only.
        column: Column of the tables of the data set that holds the device.
        group: Column or columns whose values parallel recordings share, or None for the setting
            `parallel_group` of the run.
        colors: Columns that colour the maps besides class and device; missing columns are
            skipped.
        max_values: Largest length of an embedding; larger outputs are averaged until they fit.
        checkpoint: Folder of the weights within the run.
        device: Device of the networks; see `autrainer_ext.serving.forward.choose_device`.
        seed: Seed of all random draws.

    Raises:
        ValueError: If a setting is out of range, the device does not exist or UMAP is not
            installed.
    """

    folder: ClassVar[str] = "latent_space"

    def __init__(
        self,
        *,
        layers: list[str] | None,
        drawn: list[str] | None,
        points: int,
        persistence_points: int,
        methods: Sequence[str],
        column: str,
        group: str | list[str] | None,
        colors: Sequence[str],
        max_values: int,
        checkpoint: str,
        device: str,
        seed: int,
    ) -> None:
        for name, value in (("points", points), ("persistence_points", persistence_points)):
            if value < 4:
                raise ValueError(f"Argument '{name}' must be at least 4, got {value}.")
        for method in methods:
            if method not in PROJECTIONS:
                raise unknown_name("projection", method, PROJECTIONS)
        if "umap" in methods and find_spec("umap") is None:
            raise ValueError("Projection 'umap' needs umap-learn: pip install umap-learn.")
        if layers:
            for layer in drawn or []:
                if layer not in layers:
                    raise unknown_name("layer to draw", layer, layers)
        choose_device(device)
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
        self.device = device
        self.seed = seed

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Write tables and figures.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If a run cannot be loaded, or a column of `group` or a layer does not exist.
        """
        folder = column_folder(folder, self.column)
        scores: list[dict] = []
        summaries: list[dict] = []
        values: defaultdict[tuple[str, str], dict[str, pd.Series]] = defaultdict(dict)
        diagrams: dict[tuple[str, str], list[np.ndarray]] = {}
        maps: dict[tuple[str, str], pd.DataFrame] = {}
        found = self.shards.map(self._analyse, runs, name="LatentSpace")
        bar = tqdm(found, "LatentSpace", len(runs), unit="run", disable=self.shards.has_bar)
        for layer in chain.from_iterable(bar):
            for row, shares in layer.separability:
                scores.append(row)
                values[layer.name, row["score"]][layer.run] = shares
            key = (layer.run, layer.name)
            diagrams[key] = layer.diagrams
            summaries += layer.summaries
            if layer.coordinates is not None:
                maps[key] = layer.coordinates
        tables = {
            "persistence": with_run_columns(pd.DataFrame(summaries), runs),
            "diagrams": diagram_table(diagrams),
            "diagram_distances": distance_table(diagrams, set(maps)),
        }
        separability = pd.DataFrame(scores)
        if scores:
            tables["separability"] = with_run_columns(separability, runs)
            tables["separability_differences"] = difference_table(runs, values, ["layer", "score"])
        for name, table in tables.items():
            write_table(table, folder / f"{name}.csv")
        for (run_name, layer), table in maps.items():
            write_table(table, folder / "coordinates" / f"{run_name}_{layer}.csv")
        with self.style.applied():
            draw_everything(separability, diagrams, maps, folder)

    def _analyse(self, run: Run) -> list["_Layer"]:
        """Everything that is computed for a run alone, by layer."""
        layers = []
        for space in self._read_spaces(run):
            diagrams = space_diagrams(space, self.persistence_points, self.seed)
            layers.append(
                _Layer(
                    run=run.name,
                    name=space.layer,
                    separability=separability_rows(space, self.seed),
                    diagrams=diagrams,
                    summaries=summary_rows(space, diagrams, self.persistence_points),
                    coordinates=self._coordinates(space) if space.is_drawn else None,
                )
            )
        return layers

    def _read_spaces(self, run: Run) -> list[Space]:
        return read_spaces(
            run,
            checkpoint=self.checkpoint,
            layers=self.layers,
            drawn=self.drawn,
            column=self.column,
            group=self.group,
            points=self.points,
            max_values=self.max_values,
            device=self.device,
            seed=self.seed,
        )

    def _coordinates(self, space: Space) -> pd.DataFrame:
        """Coordinates of every map, and the columns that colour it."""
        labels = {"class": space.classes, "device": space.devices}
        shown: dict[str, pd.Series | np.ndarray] = {"index": space.table["index"]}
        shown |= {name: values for name, values in labels.items() if values is not None}
        colors = [*(space.targets[:4] if space.classes is None else []), *self.colors]
        shown |= {name: space.table[name] for name in colors if name in space.table}
        table = pd.DataFrame(shown)
        for method in self.methods:
            points = project(space.embeddings, method, seed=self.seed)
            table[f"{method}_x"], table[f"{method}_y"] = points.T
        return table


@dataclass(frozen=True)
class _Layer:
    """Scores, persistence diagrams and, if it is drawn, maps of a layer of a run."""

    run: str
    name: str
    separability: list[tuple[dict, pd.Series]]
    diagrams: list[np.ndarray]
    summaries: list[dict]
    coordinates: pd.DataFrame | None
