"""What runs say about the labels of recordings, joined by file over runs with different splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autrainer_ext.runs import (
    Run,
    iterations_with,
    read_class_names,
    read_columns,
    read_metadata,
    read_outputs,
)

from .from_runs import measure_saved

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LabelEvidence:
    """Evidence on the labels of N recordings of C classes.

    Attributes:
        samples: Metadata of the recordings, one row each.
        files: File of every recording, length N.
        labels: Given labels, shape (N,).
        class_names: Class names in the order of the labels.
        held_out_runs: Number of runs that held a recording out of training, shape (N,).
        probabilities: Mean probabilities of these runs at their best iteration, shape (N, C);
            nan without such a run.
        training_runs: Number of runs that trained on a recording and saved clean outputs, (N,).
        aum: Area under the margin: mean over all checkpoints of these runs of the logit of the
            label minus the largest other one, shape (N,); nan without such a run.
        cumulative_accuracy: Share of these checkpoints that predict the label, shape (N,).
    """

    samples: "pd.DataFrame"
    files: list[str]
    labels: np.ndarray
    class_names: list[str]
    held_out_runs: np.ndarray
    probabilities: np.ndarray
    training_runs: np.ndarray
    aum: np.ndarray
    cumulative_accuracy: np.ndarray


def collect_evidence(runs: Sequence[Run], *, test: bool = False) -> LabelEvidence:
    """Join the saved outputs of runs by file.

    Args:
        runs: Completed runs on the same recordings; their splits may differ, as those of folds.
        test: Whether to include the recordings of the test splits.

    Returns:
        Evidence on every recording of a training or dev split (or test split), in order of the
        files.

    Raises:
        ValueError: If runs have different classes, or a recording has different labels or appears
            twice in a split. The message names the run.
    """
    import pandas as pd
    from scipy.special import softmax

    class_names = read_class_names(runs[0].path)
    tables: list[pd.DataFrame] = []
    held_out: list[pd.DataFrame] = []
    trained: list[pd.DataFrame] = []
    for run in runs:
        if read_class_names(run.path) != class_names:
            raise ValueError(f"Runs '{runs[0].name}' and '{run.name}' have different classes.")
        for split in ("dev", "test") if test else ("dev",):
            files = _files(run, split, tables, class_names)
            logits = read_outputs(run, split).outputs.astype(float)
            held_out.append(pd.DataFrame(softmax(logits, axis=1), index=files))
        files = _files(run, "train", tables, class_names)
        if iterations_with(run, "train"):
            measured = measure_saved(run, "train", stop="last").difficulty
            columns = {"margin": measured.margin, "hits": measured.hits}
            trained.append(pd.DataFrame({**columns, "count": measured.n_checkpoints}, index=files))
    samples = pd.concat(tables)
    _check_labels(samples)
    samples = samples[~samples.index.duplicated()].sort_index()
    index = samples.index
    probabilities = pd.concat(held_out).groupby(level=0).mean().reindex(index)
    dynamics = pd.DataFrame(index=index, columns=["margin", "hits", "count"], dtype=float)
    training_runs = pd.Series(0, index=index)
    if trained:
        dynamics = pd.concat(trained).groupby(level=0).sum().reindex(index)
        training_runs = _count(trained, index)
    return LabelEvidence(
        samples=samples.drop(columns="_label").reset_index(drop=True),
        files=index.tolist(),
        labels=samples["_label"].to_numpy(),
        class_names=class_names,
        held_out_runs=_count(held_out, index).to_numpy(),
        probabilities=probabilities.to_numpy(dtype=float),
        training_runs=training_runs.to_numpy(),
        aum=(dynamics["margin"] / dynamics["count"]).to_numpy(dtype=float),
        cumulative_accuracy=(dynamics["hits"] / dynamics["count"]).to_numpy(dtype=float),
    )


def _files(
    run: Run, split: str, tables: "list[pd.DataFrame]", class_names: list[str]
) -> "pd.Index":
    """Files of a split; its table is added to `tables`."""
    columns, table = read_columns(run), read_metadata(run, split)
    if not table[columns.index].is_unique:
        raise ValueError(f"Run '{run.name}': a file appears twice in the {split} split.")
    labels = table[columns.target].astype(str).map({c: i for i, c in enumerate(class_names)})
    table = table.set_index(table[columns.index].astype(str)).drop(columns=columns.index)
    tables.append(table.assign(_label=labels.to_numpy()))
    return table.index


def _check_labels(samples: "pd.DataFrame") -> None:
    different = samples.groupby(level=0)["_label"].nunique()
    if (different > 1).any():
        raise ValueError(
            f"File '{different.idxmax()}' has different labels in different runs: select runs "
            "with the same labels (-o runs=PATTERN)."
        )


def _count(tables: "list[pd.DataFrame]", index: "pd.Index") -> "pd.Series":
    import pandas as pd

    return pd.concat(tables).groupby(level=0).size().reindex(index, fill_value=0)
