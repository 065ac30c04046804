"""Tables of the data splits of a run: file name and targets of each sample."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from .outputs import read_task
from .run import Run

if TYPE_CHECKING:
    import pandas as pd
    from autrainer.datasets import AbstractDataset


@dataclass(frozen=True)
class Columns:
    """Columns of the tables of a data set.

    Attributes:
        index: Column with the file or number of each sample.
        target: Column of the target; a list of columns for multi-label data and for several
            targets.
        stratify: Columns whose values are evaluated separately.
    """

    index: str
    target: str | list[str]
    stratify: list[str]


def read_columns(run: Run) -> Columns:
    """Read the names of the columns of the tables of a run.

    The callback `CleanOutputs` saves the names that the data set used. Without them, those in the
    configuration are used. If the class of the data set fixes its columns itself, the data set is
    built again, as in `read_metadata`.

    Args:
        run: The run.

    Raises:
        ValueError: If the names are neither saved nor configured, and the data set cannot be built.
    """
    path = run.path / "_metadata" / "columns.yaml"
    configured = run.config["dataset"]
    if path.is_file():
        try:
            configured = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise ValueError(f"File '{path}' is damaged: it names no columns.") from error
    if {"index_column", "target_column"} <= set(configured):
        index, target = configured["index_column"], configured["target_column"]
        return Columns(index, target, list(configured.get("stratify") or []))
    data = _build(run, "the names of its columns")
    return Columns(data.index_column, data.target_column, list(data.stratify))


def read_metadata(run: Run, split: str) -> "pd.DataFrame":
    """Read the table of a split as it was during training.

    The callback `CleanOutputs` saves the tables in the run. Without them the data set is built
    again, which imports the training code of the host and needs the data. Relative paths of the
    data set start at the working directory, which must be the one the run was trained from.

    Args:
        run: The run.
        split: "train", "dev" or "test".

    Returns:
        One row per sample in the order of the split; target classes are text.

    Raises:
        ValueError: If the run has no saved tables and its data set cannot be built.
    """
    import pandas as pd

    path = run.path / "_metadata" / f"{split}.csv"
    if not path.is_file():
        return getattr(_build(run, f"the table of its {split} split"), f"df_{split}")
    target = read_columns(run).target
    is_class = isinstance(target, str) and read_task(run.path) == "classification"
    try:
        return pd.read_csv(path, dtype={target: str} if is_class else None)
    except Exception as error:  # pandas and its parsers raise many kinds
        reason = " ".join(str(error).split())
        raise ValueError(f"Table '{path}' is damaged: {reason}") from error


def _build(run: Run, missing: str) -> "AbstractDataset":
    """Build the data set of a run that did not save something."""
    from .load import load_data

    try:
        return load_data(run)
    except Exception as error:  # a data set of the user may raise anything
        reason = " ".join(str(getattr(error, "__cause__", None) or error).split())
        raise ValueError(
            f"Run '{run.path}' did not save {missing} (train with the callback "
            "autrainer_ext.callbacks.CleanOutputs), and its data set cannot be built: "
            f"{reason.rstrip('.')}. Relative paths start at the folder in which it was trained."
        ) from error
