"""Corrupted copies of every recording that are predicted correctly, before and after adaptation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

CONDITION = ["run", "method", "protocol", "order"]
_COUNTS = ["n_cells", "n_correct_before", "n_correct_after"]


def count_correct(
    files: Sequence[str], before: torch.Tensor, after: torch.Tensor, targets: np.ndarray
) -> pd.DataFrame:
    """Count the recordings of one cell.

    Args:
        files: Names of N recordings.
        before: Logits of the source model, shape (N, C).
        after: Logits of the adapted model, shape (N, C).
        targets: Class index of every recording, shape (N,).

    Returns:
        One row per recording: `filename`, `n_cells` (1), `n_correct_before`, `n_correct_after`.
    """
    table = pd.DataFrame({"filename": list(files), "n_cells": 1})
    for name, logits in (("n_correct_before", before), ("n_correct_after", after)):
        table[name] = (logits.argmax(1).numpy() == targets).astype(int)
    return table


def recording_table(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Sum the counts of cells: one row per run, method, protocol, order and recording.

    Args:
        parts: Tables of `count_correct` with the columns of `CONDITION`, or earlier sums.
    """
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return table.groupby([*CONDITION, "filename"], sort=False)[_COUNTS].sum().reset_index()
