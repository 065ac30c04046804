"""Difficulty of every sample of an experiment, as a table."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from autrainer_ext.difficulty.from_runs import CLEAN_SPLITS
from autrainer_ext.difficulty.tables import score_runs, score_table
from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import Run, find_runs, iterations_with, read_run

if TYPE_CHECKING:
    import pandas as pd


def difficulty(
    results: Path | str, *, split: str | None = None, stop: str = "best", average: str = "micro"
) -> "pd.DataFrame":
    """Table of the difficulty of every sample, for all runs of an experiment.

    Args:
        results: Folder of an experiment (`RESULTS/EXPERIMENT`, which holds `training/`), or of one
            run.
        split: "train", "dev" or "test". Default: the first of them whose outputs were saved at
            every evaluation (train and test: by the callback `CleanOutputs`).
        stop: "best" for the checkpoints up to the best one on dev, "last" for all checkpoints.
        average: "micro" pools the checkpoints of all runs, "macro" averages over runs.

    Returns:
        One row per sample in the order of the split: file name, target, the columns of the data
        set, `cumulative_accuracy`, `rank` (0 easiest, 1 hardest) and the other measures of the
        glossary. Unfinished runs are left out with a warning.

    Raises:
        ValueError: If the folder holds no finished run, no run saved such outputs, or the runs have
            different samples.

    Example:
        >>> table = difficulty("results/default")  # doctest: +SKIP
        >>> table.sort_values("rank")[["filename", "target", "rank"]].tail(1)  # doctest: +SKIP
              filename target  rank
        17  7_theo.wav      7   1.0
    """
    if split is not None and split not in CLEAN_SPLITS:
        raise unknown_name("split", split, CLEAN_SPLITS)
    runs = _finished_runs(Path(results))
    saved = [name for name in CLEAN_SPLITS if any(iterations_with(run, name) for run in runs)]
    if split is None and not saved:
        raise ValueError(
            f"Runs such as '{runs[0].name}' did not save clean outputs at every evaluation: train "
            "with the callback autrainer_ext.callbacks.CleanOutputs."
        )
    return score_table(score_runs(runs, split or saved[0], stop=stop, average=average))


def _finished_runs(folder: Path) -> list[Run]:
    if (folder / ".hydra").is_dir():
        return [read_run(folder)]
    runs = find_runs(folder.parent, folder.name)
    finished = [run for run in runs if run.is_complete]
    for run in runs:
        if not run.is_complete:
            warnings.warn(f"Run '{run.name}' is not finished and is left out.", stacklevel=3)
    if not finished:
        raise ValueError(f"No run in '{folder}' is finished.")
    return finished
