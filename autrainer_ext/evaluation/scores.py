"""Scores of saved outputs with intervals, for all recordings and for strata."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from autrainer_ext.information import balanced_accuracy, confusion_counts, confusion_intervals
from autrainer_ext.intervals import difference_interval, mean_interval, share_interval
from autrainer_ext.runs import RunOutputs

from .calibration import calibration_error

MEASURES = ("accuracy", "balanced_accuracy", "log_loss", "calibration_error")
EVERYTHING = "all"  # column and value of the stratum of all recordings
_KEYS = ["data", "stratum_column", "stratum", "n_samples"]


def score_outputs(outputs: np.ndarray, targets: np.ndarray) -> dict[str, tuple[float, ...]]:
    """Scores of logits, each with the lower and upper limit of its 95 % interval.

    The intervals are those of `share_interval` for the accuracy, of `confusion_intervals` for the
    balanced accuracy and of `mean_interval` for the log loss; the calibration error is free of the
    bias of small samples (`calibration_error`).

    Args:
        outputs: Logits, shape (N, C), N at least 1.
        targets: True classes, shape (N,).

    Returns:
        Value and limits for each of `MEASURES`; the log loss is in nats. Limits are nan with too
        few recordings: the balanced accuracy needs 20, and one per class.
    """
    logarithms = log_softmax(outputs.astype(float), axis=1)
    predicted = logarithms.argmax(axis=1)
    is_correct = predicted == targets
    losses = -logarithms[np.arange(len(targets)), targets]
    counts = confusion_counts(targets, predicted, outputs.shape[1])
    balanced = confusion_intervals(counts)["balanced_accuracy"]
    return {
        "accuracy": (float(is_correct.mean()), *share_interval(is_correct.astype(float))),
        "balanced_accuracy": (float(balanced_accuracy(counts)), balanced.low, balanced.high),
        "log_loss": (float(losses.mean()), *mean_interval(losses)),
        "calibration_error": calibration_error(np.exp(logarithms.max(axis=1)), is_correct),
    }


def score_table(data: str, outputs: RunOutputs, strata: pd.DataFrame | None = None) -> pd.DataFrame:
    """Table of the scores of all recordings and of every stratum.

    Args:
        data: Name of the data in the table.
        outputs: Outputs of N recordings.
        strata: Columns that define strata, N rows, or None for no strata. Empty cells belong to no
            stratum.

    Returns:
        One row for all recordings, then one per stratum: `data`, `stratum_column`, `stratum`,
        `n_samples`, and value, `_low` and `_high` of each of `MEASURES`.
    """
    rows = []
    for column, stratum, chosen in strata_of(len(outputs.targets), strata):
        row: dict[str, object] = dict(
            zip(_KEYS, (data, column, stratum, int(chosen.sum())), strict=True)
        )
        for name, limits in score_outputs(outputs.outputs[chosen], outputs.targets[chosen]).items():
            row |= dict(zip(_columns(name), limits, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def difference_table(scores: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Table of the differences between scores and those of other data.

    A stratum is compared with the same stratum of the other data, if they have it, else with all
    their recordings.

    Args:
        scores: Result of `score_table`.
        reference: Result of `score_table` for independent recordings.

    Returns:
        One row per row of `scores` and measure: `stratum_column`, `stratum`, `n_samples`,
        `reference` (stratum it is compared with), `measure`, `difference` (score minus reference)
        and its 95 % limits `low` and `high`.
    """
    others = {(row["stratum_column"], row["stratum"]): row for row in reference.to_dict("records")}
    everything = others[EVERYTHING, EVERYTHING]
    rows = []
    for row in scores.to_dict("records"):
        other = others.get((row["stratum_column"], row["stratum"]), everything)
        for name in MEASURES:
            first, second = ([each[column] for column in _columns(name)] for each in (row, other))
            found = difference_interval(tuple(first), tuple(second))
            rows.append((*(row[key] for key in _KEYS[1:]), other["stratum"], name, *found))
    columns = [*_KEYS[1:], "reference", "measure", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _columns(name: str) -> Sequence[str]:
    return name, f"{name}_low", f"{name}_high"


def strata_of(n_samples: int, strata: pd.DataFrame | None) -> Iterator[tuple[str, str, np.ndarray]]:
    """Column, name and samples of the stratum of all samples, and of every stratum.

    Args:
        n_samples: Number of samples N.
        strata: Columns that define strata, N rows, or None for no strata. Empty cells belong to no
            stratum.

    Yields:
        Column, stratum, and which samples belong to it, shape (N,).
    """
    yield EVERYTHING, EVERYTHING, np.ones(n_samples, dtype=bool)
    for column, values in ({} if strata is None else strata).items():
        for value in sorted(values.dropna().unique(), key=str):
            yield str(column), str(value), (values == value).to_numpy()
