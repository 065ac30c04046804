"""What a report is made from: runs, the run that is told, and the tables beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import (
    Run,
    RunOutputs,
    best_iteration,
    column_folder,
    find_runs,
    iterations_with,
    read_metadata,
    read_outputs,
    run_labels,
)

CLEAN = ("train", "dev", "test")


@dataclass(frozen=True)
class Experiment:
    """Runs of an experiment and the folder of the tables that plugins wrote.

    Attributes:
        folder: `RESULTS/EXPERIMENT`.
        runs: Finished runs, sorted by name.
        told: The run whose checkpoint the report follows.
        device_column: Column of the data set that holds the device.
        audio: Folder of the recordings.
        labelled: Whether the true classes are known.
        hints: Sentence for each section without tables, in place of the command that makes them.
    """

    folder: Path
    runs: Sequence[Run]
    told: Run
    device_column: str
    audio: Path
    labelled: bool = True
    hints: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        """Short label of every run by its name."""
        names = [run.name for run in self.runs]
        return dict(zip(names, run_labels(names), strict=True))

    def of_device(self, plugin: str) -> Path:
        """Folder, relative to that of the experiment, of an analysis by device."""
        return column_folder(Path(plugin), self.device_column)

    def table(self, *parts: str | Path) -> pd.DataFrame | None:
        """Table that a plugin wrote, or None if it does not exist.

        Args:
            parts: Path of the table relative to the folder.
        """
        path = self.folder.joinpath(*parts)
        return pd.read_csv(path, keep_default_na=False, na_values=[""]) if path.is_file() else None


def open_experiment(
    results: Path | str,
    experiment: str,
    *,
    told: str | None = None,
    device_column: str = "device",
    audio: Path | str | None = None,
    labelled: bool = True,
    hints: Mapping[str, str] | None = None,
) -> Experiment:
    """Find the finished runs of an experiment and choose the one to tell.

    Args:
        results: Folder of the results.
        experiment: Name of the experiment.
        told: Name or label of a run, or None for the run that is best on dev.
        device_column: Column of the data set that holds the device.
        audio: Folder of the recordings, or None for `default/` in the folder of the data set.
        labelled: Whether the true classes are known.
        hints: See `Experiment`.

    Raises:
        ValueError: If there is no finished run, or the run to tell does not exist.
    """
    runs = [run for run in find_runs(results, experiment) if run.is_complete]
    if not runs:
        raise ValueError(f"Experiment '{Path(results, experiment)}' contains no finished run.")
    labels = run_labels([run.name for run in runs])
    if told is None:
        chosen = max(runs, key=_dev_accuracy)
    else:
        names = {run.name: run for run in runs} | dict(zip(labels, runs, strict=True))
        if told not in names:
            raise unknown_name("run", told, [run.name for run in runs])
        chosen = names[told]
    folder = Path(chosen.config["dataset"]["path"], "default") if audio is None else Path(audio)
    return Experiment(
        Path(results, experiment), runs, chosen, device_column, folder, labelled, hints or {}
    )


def checkpoint_outputs(run: Run, split: str) -> RunOutputs | None:
    """Clean outputs of the best checkpoint of a run, or None if they were not saved."""
    try:
        if split == "train":
            best = best_iteration(run)
            return read_outputs(run, split, best) if best in iterations_with(run, split) else None
        return read_outputs(run, split)
    except ValueError:
        return None


def split_table(run: Run, split: str) -> pd.DataFrame | None:
    """Table of a split as the callback `CleanOutputs` saved it, or None."""
    saved = (run.path / "_metadata" / f"{split}.csv").is_file()
    return read_metadata(run, split).reset_index(drop=True) if saved else None


def _dev_accuracy(run: Run) -> float:
    outputs = checkpoint_outputs(run, "dev")
    return -1.0 if outputs is None else hits(outputs).mean()


def hits(outputs: RunOutputs) -> np.ndarray:
    """1 for every recording that is classified correctly, else 0, shape (N,)."""
    return (outputs.outputs.argmax(axis=1) == outputs.targets).astype(float)
