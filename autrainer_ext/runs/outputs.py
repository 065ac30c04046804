"""Saved outputs of a run as arrays in the order of the data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from autrainer_ext.errors import unknown_name

from .run import Run

SPLITS = ("train", "train_online", "dev", "test")
_ALIASES = {"traineval": "train"}  # name of the clean train split in the files and before 0.2
_PREFIXES = {"train": "traineval", "train_online": "train"}  # of files, if not the split's name
_BEST = {"dev": "_best", "test": "_test"}


@dataclass(frozen=True)
class RunOutputs:
    """Outputs of one model on one split.

    Attributes:
        outputs: Logits, shape (N, C).
        targets: Class of every sample, shape (N,), in [0, C).
        indices: Position of every sample in the split, shape (N,), ascending; repeated where
            the host saw a sample more than once between two evaluations.
        class_names: Name of every class.
    """

    outputs: np.ndarray
    targets: np.ndarray
    indices: np.ndarray
    class_names: list[str]

    def __post_init__(self) -> None:
        if self.outputs.ndim != 2 or self.outputs.shape[1] != len(self.class_names):
            raise ValueError(
                f"outputs have shape {self.outputs.shape}, expected (samples, "
                f"{len(self.class_names)} classes)."
            )
        if self.targets.ndim != 1 or not np.issubdtype(self.targets.dtype, np.integer):
            raise ValueError(
                f"targets have shape {self.targets.shape} and type {self.targets.dtype}, expected "
                "one class per sample (augmentations that mix samples save soft targets)."
            )
        if not len(self.outputs) == len(self.targets) == len(self.indices):
            raise ValueError(
                f"{len(self.outputs)} outputs, {len(self.targets)} targets and "
                f"{len(self.indices)} indices do not belong together."
            )
        if len(self.targets) and not 0 <= self.targets.min() <= self.targets.max() < len(
            self.class_names
        ):
            raise ValueError(f"targets must be in [0, {len(self.class_names)}).")


def read_outputs(run: Run, split: str, iteration: int | None = None) -> RunOutputs:
    """Read the saved outputs of a split.

    The outputs of "train", "dev" and "test" are clean: evaluation mode, no augmentation, weights
    after the iteration. The callback `CleanOutputs` saves those of "train", and of "test" at every
    iteration. The outputs of "train_online" were recorded during the training pass: augmented
    inputs, batch statistics, dropout, and the weights before each update.

    Args:
        run: The run.
        split: One of `SPLITS`; "traineval" is an old name of "train".
        iteration: Evaluated iteration, or None for the best one on dev: dev and test only.

    Returns:
        Outputs ordered by index; samples that were seen twice keep their order.

    Raises:
        ValueError: If there is no such iteration, a file is missing, cut off or unreadable, or
            arrays do not fit together; the message names the file or the run.
    """
    split = split_name(split)
    if iteration is None:
        if split not in _BEST:
            raise ValueError(f"'{run.name}' keeps no {split} outputs of its best iteration.")
        folder = run.path / _BEST[split]
    elif iteration in run.iterations:
        folder = run.iterations[iteration]
    else:
        raise ValueError(f"'{run.name}' has no evaluated iteration {iteration}.")
    arrays = {
        kind: _load(folder / f"{_prefix(split)}_{kind}.npy")
        for kind in ("outputs", "targets", "indices")
    }
    order = np.argsort(arrays["indices"], kind="stable")
    try:
        return RunOutputs(
            *(array[order] for array in arrays.values()), class_names=read_class_names(run.path)
        )
    except (ValueError, IndexError) as error:
        raise ValueError(f"'{folder}' ({split}): {error}") from error


def split_name(name: str) -> str:
    """Current name of a split, which may be given by its old one.

    Args:
        name: One of `SPLITS`, or "traineval" for "train".

    Raises:
        ValueError: If there is no such split.
    """
    name = _ALIASES.get(name, name)
    if name not in SPLITS:
        raise unknown_name("split", name, SPLITS)
    return name


def iterations_with(run: Run, split: str) -> list[int]:
    """Iterations of a run with saved outputs of a split, in ascending order.

    Args:
        run: The run.
        split: One of `SPLITS`.
    """
    prefix = _prefix(split)
    return [
        iteration
        for iteration, folder in run.iterations.items()
        if (folder / f"{prefix}_outputs.npy").is_file()
    ]


def read_class_names(directory: Path) -> list[str]:
    """Class names of a run or model directory, in the order of the outputs.

    Args:
        directory: Folder with the host's `target_transform.yaml`.

    Raises:
        ValueError: If the file is missing or is not that of a classifier.
    """
    path = Path(directory) / "target_transform.yaml"
    try:
        ((_, arguments),) = yaml.safe_load(path.read_text()).items()
        return [str(label) for label in arguments["labels"]]
    except FileNotFoundError as error:
        raise ValueError(f"'{path}' does not exist.") from error
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"'{path}' names no classes.") from error


def _prefix(split: str) -> str:
    split = split_name(split)
    return _PREFIXES.get(split, split)


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise ValueError(
            f"'{path}' does not exist: the run was cut off, or saving these outputs was off."
        ) from error
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"'{path}' is not a whole array file.") from error
