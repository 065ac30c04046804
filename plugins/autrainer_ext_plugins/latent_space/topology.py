"""Tables of persistence diagrams, their summaries and their distances."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.latent import (
    diagram_distances,
    persistence_diagrams,
    subsample,
    summarise_diagram,
)

from .spaces import Space

DIMENSIONS = ("clusters", "loops")


def space_diagrams(space: Space, points: int, seed: int) -> list[np.ndarray]:
    """Persistence diagrams of clusters and loops of the embeddings of a layer.

    Args:
        space: Embeddings of a layer.
        points: Largest number of samples.
        seed: Seed of the choice of samples.

    Returns:
        Births and deaths per dimension, each of shape (features, 2).
    """
    kept = subsample(len(space.embeddings), points, seed)
    return persistence_diagrams(space.embeddings[kept])


def summary_rows(space: Space, diagrams: Sequence[np.ndarray], points: int) -> list[dict]:
    """Rows of `persistence.csv` for a layer, one per dimension.

    Args:
        space: Embeddings of the layer.
        diagrams: Births and deaths per dimension.
        points: Largest number of samples of the diagrams.
    """
    return [
        {
            "run": space.run,
            "layer": space.layer,
            "dimension": dimension,
            "n_samples": min(len(space.table), points),
        }
        | asdict(summarise_diagram(diagram))
        for dimension, diagram in zip(DIMENSIONS, diagrams, strict=True)
    ]


def diagram_table(diagrams: Mapping[tuple[str, str], Sequence[np.ndarray]]) -> pd.DataFrame:
    """Births and deaths of all diagrams.

    Args:
        diagrams: Births and deaths per dimension, by run and layer.

    Returns:
        One row per feature, columns run, layer, dimension, birth and death.
    """
    parts = [
        pd.DataFrame(diagram, columns=["birth", "death"]).assign(
            run=run, layer=layer, dimension=dimension
        )
        for (run, layer), of_layer in diagrams.items()
        for dimension, diagram in zip(DIMENSIONS, of_layer, strict=True)
    ]
    return pd.concat(parts)[["run", "layer", "dimension", "birth", "death"]]


def distance_table(
    diagrams: Mapping[tuple[str, str], Sequence[np.ndarray]], drawn: set[tuple[str, str]]
) -> pd.DataFrame:
    """Distances between the diagrams of any two runs in the same layer.

    Args:
        diagrams: Births and deaths per dimension, by run and layer.
        drawn: Runs and layers to compare.

    Returns:
        One row per layer, dimension and pair of runs.
    """
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
