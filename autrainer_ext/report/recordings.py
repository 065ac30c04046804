"""The recordings of a report: labels, difficulty, doubt and the prediction of every run."""

import numpy as np
import pandas as pd
from scipy.special import log_softmax, softmax

from autrainer_ext.runs import Run, read_columns

from .source import CLEAN, Experiment, checkpoint_outputs, split_table

COLUMNS = ("split", "index", "filename", "target", "device", "rank", "doubt", "confidence", "loss")


def read_recordings(experiment: Experiment) -> pd.DataFrame:
    """Table of all recordings with saved outputs of the told run.

    Args:
        experiment: The experiment.

    Returns:
        One row per recording with the columns of `COLUMNS` and one column per run, which holds the
        index of the predicted class, -1 if unknown. `target` is a class index, -1 without labels.
        `rank` is the rank of difficulty from the plugin Difficulty, 0 easiest to 1 hardest.
        `confidence` and `loss` are those of the told run. `device` is empty and `rank` nan if
        unknown. `doubt` is the mean over the runs of the highest probability of another class
        minus that of the label, -1 to 1: positive where the runs contradict the label. It is
        computed on dev and test only, which no run was trained on.

    Raises:
        ValueError: If the told run saved no outputs.

    Source:
        Northcutt et al. (2021), Confident learning: `doubt` is the negative normalised margin.
        doi:10.1613/jair.1.12125
    """
    tables = [table for split in CLEAN if (table := _read_split(experiment, split)) is not None]
    if not tables:
        raise ValueError(
            f"Run '{experiment.told.name}' saved no outputs with their recordings: train with the "
            "callback autrainer_ext.callbacks.CleanOutputs."
        )
    table = pd.concat(tables, ignore_index=True)
    if "doubt" not in table:
        table["doubt"] = np.nan
    if not experiment.labelled:
        table = table.assign(target=-1, loss=np.nan, doubt=np.nan)
    scores = experiment.table("difficulty", "scores.csv")
    if scores is None:
        table["rank"] = np.nan
        return table
    ranks = scores.set_index(["split", "index"])["rank"]
    ranks = ranks[~ranks.index.duplicated()]
    keys = pd.MultiIndex.from_frame(table[["split", "index"]])
    return table.assign(rank=ranks.reindex(keys).to_numpy())


def _read_split(experiment: Experiment, split: str) -> pd.DataFrame | None:
    told, names = checkpoint_outputs(experiment.told, split), split_table(experiment.told, split)
    if told is None or names is None:
        return None
    column = read_columns(experiment.told).index
    filenames = names[column].astype(str).to_numpy()[told.indices]
    device = names.get(experiment.device_column, pd.Series("", index=names.index))
    rows = np.arange(len(told.targets))
    table = pd.DataFrame(
        {
            "split": split,
            "index": told.indices,
            "filename": filenames,
            "target": told.targets,
            "device": device.fillna("").astype(str).to_numpy()[told.indices],
            "confidence": softmax(told.outputs, axis=1).max(axis=1),
            "loss": -log_softmax(told.outputs, axis=1)[rows, told.targets],
        }
    )
    doubts = []
    for run in experiment.runs:
        outputs = _same_recordings(run, split, filenames, column)
        table[run.name] = -1 if outputs is None else outputs.argmax(axis=1)
        if outputs is not None and split != "train":
            doubts.append(_doubt(softmax(outputs, axis=1), told.targets))
    return table.assign(doubt=np.mean(doubts, axis=0)) if doubts else table


def _same_recordings(run: Run, split: str, filenames: np.ndarray, column: str) -> np.ndarray | None:
    """Outputs of a run if it was evaluated on these recordings in this order."""
    outputs, names = checkpoint_outputs(run, split), split_table(run, split)
    if outputs is None or names is None or column not in names:
        return None
    own = names[column].astype(str).to_numpy()[outputs.indices]
    return outputs.outputs if np.array_equal(own, filenames) else None


def _doubt(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Highest probability of another class minus that of the label, shape (N,)."""
    rows = np.arange(len(targets))
    label = probabilities[rows, targets]
    others = probabilities.copy()
    others[rows, targets] = -np.inf
    return others.max(axis=1) - label
