"""Scores and trajectories of adaptations, and their summary."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from autrainer_ext.adaptation import Outcome
from autrainer_ext.adaptation.calibration import expected_calibration_error
from autrainer_ext.information import (
    balanced_accuracy,
    confusion_counts,
    entropies,
    split_coordinates,
)
from autrainer_ext.intervals import mean_interval, share_interval


def accuracy(logits: torch.Tensor, targets: np.ndarray) -> float:
    """Share of correct predictions, in [0, 1]."""
    return float(_hits(logits, targets).mean())


def adaptation_scores(
    before: torch.Tensor, outcome: Outcome, clean: torch.Tensor, targets: np.ndarray
) -> dict[str, float | int | bool]:
    """Scores of one adaptation, with 95 % intervals over recordings.

    Args:
        before: Logits of the source model, shape (N, C).
        outcome: Outcome of the adaptation.
        clean: Logits of the adapted network for the uncorrupted recordings, shape (N, C).
        targets: Class index of every recording, shape (N,).

    Returns:
        Accuracies and calibration errors before and after adaptation, their gain, and the number
        of steps by event. `collapsed` is True if the predicted classes have less than half the
        entropy of the true ones.
    """
    after = outcome.logits
    hits = [_hits(logits, targets) for logits in (before, after)]
    counts = confusion_counts(targets, after.argmax(1).numpy(), after.shape[1])
    h = entropies(counts)
    scores: dict[str, float | int | bool] = {}
    for name, values in (
        ("accuracy_before", hits[0]),
        ("accuracy_after", hits[1]),
        ("gain", hits[1] - hits[0]),
    ):
        scores[name] = values.mean()
        interval = mean_interval if name == "gain" else share_interval
        scores[f"{name}_low"], scores[f"{name}_high"] = interval(values)
    events = pd.Series([step["event"] for step in outcome.steps]).value_counts()
    return {
        **scores,
        "balanced_accuracy_after": float(balanced_accuracy(counts)),
        "ece_before": expected_calibration_error(before.softmax(1).numpy(), targets),
        "ece_after": expected_calibration_error(after.softmax(1).numpy(), targets),
        "clean_accuracy_after": accuracy(clean, targets),
        "collapsed": bool(h.h_pred < h.h_true / 2),
        "seconds_per_sample": outcome.seconds_per_sample,
        **{f"n_{e}": int(events.get(e, 0)) for e in ("adapted", "held", "reset", "skipped")},
    }


def trajectory(outcome: Outcome, targets: np.ndarray) -> Iterator[dict[str, float | str]]:
    """Coordinates in the entropy triangle of all predictions so far, after every step.

    Args:
        outcome: Outcome of an adaptation; only its last pass is used.
        targets: Class index of every recording, shape (N,).

    Yields:
        Number of the step, its event and the three coordinates.
    """
    predicted, n_classes = outcome.logits.argmax(1).numpy(), outcome.logits.shape[1]
    last = outcome.steps[-1]["pass"]
    end = 0
    for number, step in enumerate(s for s in outcome.steps if s["pass"] == last):
        end += step["n_samples"]
        seen = outcome.order[:end]
        _, point = split_coordinates(
            entropies(confusion_counts(targets[seen], predicted[seen], n_classes))
        )
        yield {
            "step": number + 1,
            "event": step["event"],
            "divergence": float(point.divergence),
            "mutual_information": float(point.mutual_information),
            "variation": float(point.variation),
        }


def shared_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the cells that have all methods of their protocol and order.

    Args:
        table: Table of `results.csv`. A cell is a run, corruption, severity, batch size and seed
            under one protocol and order.

    Returns:
        The rows in their order. Means of different methods over them are means over the same
        cells.
    """
    protocol = ["protocol", "order"]
    cell = [*protocol, "run", "corruption", "severity", "batch_size", "seed"]
    n_methods = table.groupby(protocol)["method"].transform("nunique")
    return table[table.groupby(cell)["method"].transform("nunique") == n_methods]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean scores of every method, protocol and order.

    Means are over runs, corruptions, severities and seeds. The interval of the gain treats these
    cells as independent, although they share recordings; with fewer than three cells there is
    none.

    Args:
        table: Table of `results.csv`, with the same cells for all methods (see `shared_cells`).

    Returns:
        One row per method, protocol and order.
    """
    rows = []
    for key, cells in table.groupby(["method", "protocol", "order"], sort=False):
        limits = mean_interval(cells["gain"].to_numpy()) if len(cells) > 2 else (np.nan, np.nan)
        rows.append(
            dict(zip(("method", "protocol", "order"), key, strict=True))
            | {
                "n_cells": len(cells),
                "accuracy_before": cells["accuracy_before"].mean(),
                "accuracy_after": cells["accuracy_after"].mean(),
                "gain": cells["gain"].mean(),
                "gain_low": limits[0],
                "gain_high": limits[1],
                "worst_gain": cells["gain"].min(),
                "clean_accuracy_after": cells["clean_accuracy_after"].mean(),
                "n_collapsed": int(cells["collapsed"].sum()),
                "seconds_per_sample": cells["seconds_per_sample"].mean(),
            }
        )
    return pd.DataFrame(rows)


def _hits(logits: torch.Tensor, targets: np.ndarray) -> np.ndarray:
    """One for every correct prediction, else zero, shape (N,)."""
    return (logits.argmax(1).numpy() == targets).astype(float)
