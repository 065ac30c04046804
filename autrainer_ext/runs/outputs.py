"""Saved outputs of a run, as arrays in the order of the data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from autrainer_ext.errors import unknown_name

from .run import Run

SPLITS = ("train", "train_online", "dev", "test")
_ALIASES = {"traineval": "train"}  # file prefix of the clean train outputs
_PREFIXES = {"train": "traineval", "train_online": "train"}  # of the files, where not the split
_BEST = {"dev": "_best", "test": "_test"}


@dataclass(frozen=True)
class RunOutputs:
    """Outputs of one model on the N samples of one split with C classes.

    Attributes:
        outputs: Logits, shape (N, C).
        targets: True class of each sample, shape (N,), in [0, C).
        indices: Position of each sample in the split, shape (N,), ascending. A sample that was
            used more than once between two evaluations occurs more than once.
        class_names: Name of each class, length C.
    """

    outputs: np.ndarray
    targets: np.ndarray
    indices: np.ndarray
    class_names: list[str]

    def __post_init__(self) -> None:
        if self.outputs.ndim != 2 or self.outputs.shape[1] != len(self.class_names):
            raise ValueError(
                f"Outputs have shape {self.outputs.shape}, expected (samples, "
                f"{len(self.class_names)} classes)."
            )
        if self.targets.ndim != 1 or not np.issubdtype(self.targets.dtype, np.integer):
            raise ValueError(
                f"Targets have shape {self.targets.shape} and type {self.targets.dtype}, expected "
                "one class index per sample (augmentations that mix samples save soft targets)."
            )
        if self.indices.ndim != 1:
            raise ValueError(f"Indices have shape {self.indices.shape}, expected (samples,).")
        if not len(self.outputs) == len(self.targets) == len(self.indices):
            raise ValueError(
                f"Outputs, targets and indices must have the same length, got {len(self.outputs)}, "
                f"{len(self.targets)} and {len(self.indices)}."
            )
        if len(self.targets) and not 0 <= self.targets.min() <= self.targets.max() < len(
            self.class_names
        ):
            raise ValueError(
                f"Targets must be in [0, {len(self.class_names)}), got {self.targets.min()} to "
                f"{self.targets.max()}."
            )


def read_outputs(run: Run, split: str, iteration: int | None = None) -> RunOutputs:
    """Read the saved outputs of a split.

    The outputs of "train", "dev" and "test" are clean: evaluation mode, no augmentation, weights
    after the iteration. The callback `CleanOutputs` saves the outputs of "train", and those of
    "test" at every iteration. The outputs of "train_online" were recorded during the training
    pass: with augmentation, batch statistics and dropout, and with the weights before each update.

    Args:
        run: The run.
        split: One of `SPLITS`; "traineval" is an alias of "train".
        iteration: Evaluated iteration. None (dev and test only): the best iteration on dev.

    Returns:
        Outputs ordered by index; repeated samples keep the order in which they were used.

    Raises:
        ValueError: If the iteration was not evaluated, a file is missing or incomplete, or the
            arrays do not match; the message names the file or the run.
    """
    outputs, targets, indices = read_arrays(run, split, iteration)
    try:
        return RunOutputs(outputs, targets, indices, read_class_names(run.path))
    except ValueError as error:
        folder = _folder(run, split, iteration)
        raise ValueError(f"Folder '{folder}' ({split_name(split)}): {error}") from error


def read_arrays(
    run: Run, split: str, iteration: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the saved outputs, targets and indices of a split, for any task.

    Args:
        run: The run.
        split: One of `SPLITS`, as in `read_outputs`.
        iteration: Evaluated iteration. None (dev and test only): the best iteration on dev.

    Returns:
        Outputs, shape (N, ...), targets as the criterion sees them, shape (N, ...), and positions
        in the split, shape (N,), ordered by position.

    Raises:
        ValueError: If the iteration was not evaluated, or a file is missing or incomplete.
    """
    folder = _folder(run, split, iteration)
    outputs, targets, indices = (
        _load(folder / f"{_prefix(split)}_{kind}.npy") for kind in ("outputs", "targets", "indices")
    )
    try:
        order = np.argsort(indices, kind="stable")
        return outputs[order], targets[order], indices[order]
    except IndexError as error:
        raise ValueError(f"Folder '{folder}' ({split_name(split)}): {error}") from error


def _folder(run: Run, split: str, iteration: int | None) -> Path:
    """Folder of the outputs of an iteration, or of the best iteration."""
    split = split_name(split)
    if iteration is None:
        if split not in _BEST:
            raise ValueError(
                f"Run '{run.name}' has no saved {split} outputs of its best iteration: give an "
                "iteration."
            )
        return run.path / _BEST[split]
    if iteration not in run.iterations:
        raise ValueError(f"Run '{run.name}' has no evaluated iteration {iteration}.")
    return run.iterations[iteration]


def split_name(name: str) -> str:
    """Check the name of a split and replace an alias.

    Args:
        name: One of `SPLITS`, or "traineval" for "train".

    Returns:
        One of `SPLITS`.

    Raises:
        ValueError: If the split is unknown.

    Example:
        >>> split_name("traineval")
        'train'
    """
    name = _ALIASES.get(name, name)
    if name not in SPLITS:
        raise unknown_name("split", name, SPLITS)
    return name


def iterations_with(run: Run, split: str) -> list[int]:
    """List the iterations of a run for which outputs of a split were saved.

    Args:
        run: The run.
        split: One of `SPLITS`.

    Returns:
        Iterations in ascending order.
    """
    prefix = _prefix(split)
    return [
        iteration
        for iteration, folder in run.iterations.items()
        if (folder / f"{prefix}_outputs.npy").is_file()
    ]


def read_class_names(directory: Path) -> list[str]:
    """Read the class names of a run or model directory, in the order of the outputs.

    Args:
        directory: Folder with the host's `target_transform.yaml`.

    Raises:
        ValueError: If the file is missing or contains no class names.
    """
    arguments = _target_arguments(directory)
    if "labels" not in arguments:
        raise ValueError(
            f"File '{Path(directory, 'target_transform.yaml')}' contains no class names."
        )
    return [str(label) for label in arguments["labels"]]


def read_task(directory: Path) -> str:
    """Read what a run or model directory predicts.

    Args:
        directory: Folder with the host's `target_transform.yaml`.

    Returns:
        Name of the task in the host: "classification" (one class per sample),
        "ml-classification" (several labels per sample) or "regression".

    Raises:
        ValueError: If the file is missing or cannot be read.
    """
    arguments = _target_arguments(directory)
    if "labels" not in arguments:
        return "regression"
    return "ml-classification" if "threshold" in arguments else "classification"


def _target_arguments(directory: Path) -> dict[str, Any]:
    """Arguments of the saved target transform of the host."""
    path = Path(directory) / "target_transform.yaml"
    try:
        ((_, arguments),) = yaml.safe_load(path.read_text(encoding="utf-8")).items()
    except FileNotFoundError as error:
        raise ValueError(f"File '{path}' does not exist: it lists the class names.") from error
    except Exception as error:  # YAML that parses may still hold anything
        raise ValueError(f"File '{path}' contains no class names.") from error
    if not isinstance(arguments, dict) or not isinstance(arguments.get("labels", []), list):
        raise ValueError(f"File '{path}' contains no class names.")
    return arguments


def _prefix(split: str) -> str:
    split = split_name(split)
    return _PREFIXES.get(split, split)


def _load(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise ValueError(
            f"File '{path}' does not exist: training was interrupted, or these outputs were not "
            "saved."
        ) from error
    except Exception as error:  # the parser of the header raises many kinds
        raise ValueError(f"File '{path}' is truncated or not a valid .npy file.") from error
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.number):
        raise ValueError(f"File '{path}' does not hold an array of numbers.")
    return array
