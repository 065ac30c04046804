"""Embeddings of the layers of a run with the metadata of their samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from autrainer_ext.compat import unpack
from autrainer_ext.latent import embed, outer_layers, subsample
from autrainer_ext.runs import Run, read_columns, read_metadata, read_task
from autrainer_ext_plugins.conditions import parallel_groups

if TYPE_CHECKING:
    from autrainer_ext.runs.load import LoadedRun


@dataclass(frozen=True)
class Space:
    """Embeddings of one layer of a run.

    Attributes:
        run: Name of the run.
        model: ID of the model.
        layer: Name of the layer.
        is_drawn: Whether maps of the layer are drawn.
        embeddings: Embeddings, shape (N, D).
        table: Rows of the test table, with the position of each sample in the column `index`,
            length N.
        names: File of every sample, shape (N,).
        classes: Class name of every sample, shape (N,), or None if samples have no single class.
        devices: Device of every sample, shape (N,), or None if the table has no such column.
        groups: Group of parallel recordings of every sample, shape (N,), or None.
        targets: Columns of the table with the targets.
    """

    run: str
    model: str
    layer: str
    is_drawn: bool
    embeddings: np.ndarray
    table: pd.DataFrame
    names: np.ndarray
    classes: np.ndarray | None
    devices: np.ndarray | None
    groups: np.ndarray | None
    targets: list[str]


def read_spaces(
    run: Run,
    *,
    checkpoint: str,
    layers: Sequence[str] | None,
    drawn: Sequence[str] | None,
    column: str,
    group: str | list[str] | None,
    points: int,
    max_values: int,
    device: str,
    seed: int,
) -> list[Space]:
    """Compute the embeddings of the test split in several layers.

    Args:
        run: Run.
        checkpoint: Folder of the weights within the run.
        layers: Names of modules, or None for the outer layers of the model.
        drawn: Layers to draw, or None for the last but one.
        column: Column of the test table that holds the device.
        group: Column or columns whose values parallel recordings share, or None for the setting
            `parallel_group` of the run.
        points: Largest number of samples.
        max_values: Largest length of an embedding.
        device: Device of the network.
        seed: Seed of the choice of samples.

    Returns:
        One space per layer.

    Raises:
        ValueError: If the run cannot be loaded, a column is missing or a layer does not exist.
    """
    from autrainer_ext.runs.load import load_run

    try:
        loaded = load_run(run, checkpoint)
    except Exception as error:  # data sets of users raise any type
        reason = getattr(error, "__cause__", None) or error
        raise ValueError(f"Run '{run.name}' cannot be loaded: {reason}") from error
    data, table, columns = loaded.data, read_metadata(run, "test"), read_columns(run)
    if column not in table:
        tqdm.write(
            f"'{run.name}' has no column '{column}' in its tables: the scores of devices are left "
            "out (another column: -o column=NAME)."
        )
    kept = subsample(len(table), points, seed)
    if len(kept) < len(table):
        tqdm.write(f"'{run.name}': {len(kept)} of {len(table)} test samples, drawn at random.")
    batches = DataLoader(
        Subset(data.test_dataset, kept.tolist()),
        batch_size=loaded.config.inference_batch_size,
        collate_fn=data.test_transform.get_collate_fn(data),
    )
    with torch.random.fork_rng(devices=[]):
        names = list(layers or _usable_layers(loaded, max_values))
        names += [layer for layer in drawn or [] if layer not in names]
        features = (unpack(batch)[0] for batch in batches)
        try:
            found = embed(
                loaded.model,
                names,
                features,
                max_values=max_values,
                device=device,
                n_expected=len(kept),
            )
        except ValueError as error:
            raise ValueError(f"Run '{run.name}': {error}") from error
    rows = table.iloc[kept].reset_index(drop=True)
    has_classes = read_task(run.path) == "classification"
    return [
        Space(
            run=run.name,
            model=str(run.config["model"]["id"]),
            layer=layer,
            is_drawn=layer in (drawn or names[-2:][:1]),
            embeddings=found[layer],
            table=rows.assign(index=kept),
            names=rows[columns.index].to_numpy(str),
            classes=rows[columns.target].to_numpy(str) if has_classes else None,
            devices=rows[column].to_numpy(str) if column in rows else None,
            groups=parallel_groups(rows, run, group),
            targets=[columns.target] if isinstance(columns.target, str) else columns.target,
        )
        for layer in names
    ]


def _usable_layers(loaded: "LoadedRun", max_values: int) -> list[str]:
    """Outer layers that are used and whose outputs can be embeddings, tried on one sample."""
    features = torch.as_tensor(unpack(loaded.data.test_dataset[0])[0])[None]
    usable = []
    for layer in outer_layers(loaded.model):
        try:
            embed(
                loaded.model, [layer], [features], max_values=max_values, device="cpu", n_expected=1
            )
        except ValueError:
            continue
        usable.append(layer)
    return usable
