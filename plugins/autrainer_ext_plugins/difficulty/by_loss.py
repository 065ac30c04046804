"""Difficulty by loss, for tasks in which a prediction is not simply right or wrong."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from autrainer_ext.difficulty import rank_difficulty
from autrainer_ext.runs import (
    Run,
    best_iteration,
    iterations_with,
    read_arrays,
    read_columns,
    read_metadata,
    read_task,
)


def loss_table(runs: Sequence[Run], split: str) -> pd.DataFrame:
    """Table of the loss of every sample, for multi-label data or regression.

    Args:
        runs: Runs with the same samples, at least one.
        split: "train", "dev" or "test".

    Returns:
        One row per sample in the order of the split: `split`, `index`, `filename`, the columns of
        the data set, `loss` (at the best iteration on dev, mean over runs) and `rank` (0 easiest, 1
        hardest). Without outputs of the best iteration there are no rows.

    Raises:
        ValueError: If the runs have different tasks or samples.
    """
    tasks = [read_task(run.path) for run in runs]
    if len(set(tasks)) > 1:
        raise ValueError(
            f"Runs have different tasks ({', '.join(sorted(set(tasks)))}): select runs of one task "
            "(-o runs=PATTERN)."
        )
    if not all(best_iteration(run) in iterations_with(run, split) for run in runs):
        return pd.DataFrame()
    losses = []
    first_targets = read_arrays(runs[0], split, best_iteration(runs[0]))[1]
    for run in runs:
        outputs, targets, _ = read_arrays(run, split, best_iteration(run))
        if not np.array_equal(targets, first_targets):
            raise ValueError(
                f"Runs '{runs[0].name}' and '{run.name}' have different {split} samples: select "
                "runs with the same data set (-o runs=PATTERN)."
            )
        losses.append(sample_losses(outputs, targets, tasks[0]))
    loss = np.mean(losses, axis=0)
    table, index = read_metadata(runs[0], split), read_columns(runs[0]).index
    own = {"split": split, "index": np.arange(len(loss)), "filename": table[index].to_numpy()}
    described = table.drop(columns=[index, *(name for name in own if name in table.columns)])
    scores = {"loss": loss, "rank": rank_difficulty(-loss).rank}
    return pd.DataFrame({**own, **described.reset_index(drop=True), **scores})


def sample_losses(outputs: np.ndarray, targets: np.ndarray, task: str) -> np.ndarray:
    """Loss of every sample, mean over its labels or targets.

    Args:
        outputs: Logits of C labels, or C predicted values, shape (N, C).
        targets: Labels of 0 and 1, or true values, shape (N, C), or (N,) for a single value.
        task: "ml-classification" for the binary cross-entropy in nats, "regression" for the
            squared error.

    Returns:
        Losses, shape (N,), at least 0.

    Example:
        >>> sample_losses(np.array([[0.0, 2.0]]), np.array([[1.0, 2.0]]), "regression")
        array([0.5])
    """
    values, truth = outputs.astype(float), targets.reshape(outputs.shape).astype(float)
    if task == "regression":
        return np.square(values - truth).mean(axis=1)
    return (np.logaddexp(0, values) - values * truth).mean(axis=1)
