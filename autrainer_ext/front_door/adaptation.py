"""Test-time adaptation of any network to unlabelled data."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from autrainer_ext.adaptation import Decision, adapt_to, make_method
from autrainer_ext.runs import read_class_names
from autrainer_ext.serving.audio_files import UnusableFileError, collect_files, error_table
from autrainer_ext.serving.forward import device_of, forward_pass

from .audio import (
    FrontEnd,
    Reader,
    compute_features,
    count_classes,
    open_network,
    open_reader,
    read_samples,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Adapted:
    """Adapted network; see `adapt`.

    Attributes:
        model: Copy of the network to serve, in evaluation mode.
        decision: Which network that is (`served`: "source", "statistics", "source+prior" or
            "adapted"), why (`reason`), and the scores of all candidates (`scores`).
        steps: One row per step: `event`, `n_samples`, `predicted_entropy` and the loss terms; empty
            if no step was tried.
        errors: Recordings of a folder that could not be used, columns `filename` and `reason`.
    """

    model: nn.Module
    decision: Decision
    steps: "pd.DataFrame"
    errors: "pd.DataFrame"

    def __repr__(self) -> str:
        return (
            f"Adapted({type(self.model).__name__}, {self.decision.served}: {self.decision.reason})"
        )


def adapt(
    model: nn.Module | Path | str,
    data: Iterable | torch.Tensor | np.ndarray | Path | str,
    *,
    method: str = "ntta",
    passes: int = 3,
    always: bool = False,
    batch_size: int = 32,
    front_end: FrontEnd | None = None,
    extension: str = "wav",
    seed: int = 0,
    **options: object,
) -> Adapted:
    """Adapt a network to unlabelled data from the place where it will be used.

    Args:
        model: Run or model directory, or any network from features to logits with norm layers; it
            is not modified.
        data: Folder of recordings; or features: batches, each of shape (n, ...) or a tuple that
            starts with them (labels are ignored), or one array of shape (N, ...). Everything is
            held in memory.
        method: "ntta", "tent", "shot_im", "eata", "sar" or "batch_norm"; see the guide.
        passes: Number of passes over the data.
        always: Whether to serve the adapted network without a decision.
        batch_size: Number of samples per step. Batches are joined and divided anew.
        front_end: Front end of a network without directory, for a folder; see `explain`.
        extension: Extension of the recordings of a folder.
        seed: Seed of the order of the samples.
        **options: Settings of the method, such as `learning_rate`.

    Returns:
        The network to serve, a copy, with `model`, `decision` and `steps`.

    Raises:
        ValueError: If fewer than two samples can be used, their shapes differ, or the network does
            not suit the method.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> network = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
        >>> batches = [torch.randn(16, 4) for _ in range(4)]
        >>> m = adapt(network, batches, method="tent", always=True)
        >>> m.decision.served, torch.equal(m.model[0].weight, network[0].weight)
        ('adapted', False)
    """
    import pandas as pd

    errors = error_table([], {})
    if isinstance(data, str | Path):
        reader = open_reader(model, front_end)
        network = reader.model
        features, errors = _read_folder(reader, Path(data), extension)
    else:
        features = _join(data)
        network = open_network(model)
    if len(features) < 2:
        raise ValueError(f"At least two samples are needed, got {len(features)}.")
    features = features.to(device_of(network, features))
    trial = copy.deepcopy(network).eval()
    trial.output_dim = count_classes(forward_pass(network, features), features[:2])
    make_method(method, trial, options)  # wrong settings are errors even where nothing is adapted
    names = None if isinstance(model, nn.Module) else read_class_names(Path(model))
    found = adapt_to(
        network,
        features,
        method=method,
        options=options,
        passes=passes,
        batch_size=batch_size,
        seed=seed,
        always=always,
        class_names=names,
    )
    return Adapted(found.model, found.decision, pd.DataFrame(found.steps), errors)


def _join(data: Iterable | torch.Tensor | np.ndarray) -> torch.Tensor:
    """Features of all batches, shape (N, ...)."""
    whole = isinstance(data, torch.Tensor | np.ndarray)
    parts = [
        torch.as_tensor(batch[0] if isinstance(batch, tuple | list) else batch).float()
        for batch in ([data] if whole else data)
    ]
    if not parts:
        raise ValueError("There are no batches to adapt to.")
    shapes = {tuple(part.shape[1:]) for part in parts}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise ValueError(f"Samples must have one shape, got {first} and {second}.")
    return torch.cat(parts)


def _read_folder(
    reader: Reader, folder: Path, extension: str
) -> tuple[torch.Tensor, "pd.DataFrame"]:
    """Features of the recordings of a folder that can be used, and a table of the others."""
    if not folder.is_dir():
        raise ValueError(f"Folder of recordings '{folder}' does not exist.")
    files = collect_files(str(folder), extension)
    if not files:
        raise ValueError(f"No '{extension}' files found in '{folder}'.")
    found: dict[str, torch.Tensor] = {}
    reasons: dict[str, str] = {}
    for file in files:
        try:
            features = compute_features(reader, read_samples(reader, folder / file, None))
            shape = next(iter(found.values()), features).shape
            if features.shape != shape:
                raise UnusableFileError(
                    f"its features have the shape {tuple(features.shape[1:])}, those of the first "
                    f"recording {tuple(shape[1:])}"
                )
            found[file] = features
        except (ValueError, UnusableFileError) as error:
            reasons[file] = str(error)
    if not found:
        raise ValueError(f"No recording in '{folder}' can be used: {next(iter(reasons.values()))}")
    return torch.cat(list(found.values())), error_table(files, reasons)
