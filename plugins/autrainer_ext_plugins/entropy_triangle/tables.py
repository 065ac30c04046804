"""Tables of the entropy triangle coordinates of confusion matrices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit
from tqdm import tqdm

from autrainer_ext.information import (
    VIEWS,
    accuracy,
    balanced_accuracy,
    cartesian,
    confusion_interval,
    ema,
    entropies,
    nit,
    triangle_points,
)
from autrainer_ext.runs import run_labels

EVERYTHING = "all"  # column and value of the stratum of all samples
_COORDINATES = ("divergence", "mutual_information", "variation", "x", "y")
_SCORES = ("accuracy", "balanced_accuracy", "ema", "nit")
QUANTITIES = (*_COORDINATES, *_SCORES)


@dataclass(frozen=True)
class ConfusionMatrix:
    """Confusion matrix and its origin.

    Attributes:
        counts: Counts, shape (C, C); rows are true classes.
        run: Name of the run.
        family: Name of the run without its seed, shared by runs that differ only in the seed.
        criterion: Name of the criterion.
        seed: Seed or fold.
        split: Split of the data.
        iteration: Iteration of the training.
        stratum_column: Column of the data set that defines the stratum, or "all".
        stratum: Value of that column, or "all".
        model: ID of the model.
        dataset: ID of the data set.
        is_best: Whether the iteration is the best one on dev, or None if that is unknown.
    """

    counts: np.ndarray
    run: str
    family: str
    criterion: str
    seed: int | str
    split: str
    iteration: int
    stratum_column: str = EVERYTHING
    stratum: str = EVERYTHING
    model: str = ""
    dataset: str = ""
    is_best: bool | None = None


_KEYS = ["run", "model", "criterion", "seed", "dataset", "split", "iteration", "is_best"]
_KEYS += ["stratum_column", "stratum"]
COLUMNS = [
    *_KEYS,
    "view",
    *_COORDINATES,
    "n_samples",
    *_SCORES,
    *[f"{quantity}_{end}" for quantity in QUANTITIES for end in ("low", "high")],
]


@dataclass(frozen=True)
class IntervalSettings:
    """Settings of the intervals over samples; see `autrainer_ext.information.confusion_interval`.

    Attributes:
        method: "basic", "percentile" or "bca".
        confidence: Confidence level, in (0, 1).
        n_resamples: Number of resamples; 0 omits the intervals.
        seed: Seed of the resampling.
    """

    method: str
    confidence: float
    n_resamples: int
    seed: int

    def __post_init__(self) -> None:
        if self.n_resamples:
            confusion_interval(np.zeros((0, 1, 1)), quantities, **vars(self))  # checks the values


def quantities(counts: np.ndarray) -> np.ndarray:
    """All quantities of the table, computed from confusion matrices.

    Args:
        counts: Counts, shape (..., C, C).

    Returns:
        Values in [0, 1], shape (..., 3 views, 9 quantities), in the order of `VIEWS` and
        `QUANTITIES`. The scores are the same in all views.
    """
    h = entropies(counts)
    scores = [accuracy(counts), balanced_accuracy(counts), ema(h), nit(h)]
    rows = []
    for point in triangle_points(h).values():
        coordinates = (point.divergence, point.mutual_information, point.variation)
        rows.append(np.stack([*coordinates, *cartesian(point), *scores], axis=-1))
    return np.stack(rows, axis=-2)


def coordinate_table(
    confusions: Sequence[ConfusionMatrix], settings: IntervalSettings, *, quiet: bool = False
) -> pd.DataFrame:
    """Table of the coordinates of confusion matrices, with intervals over their samples.

    Args:
        confusions: Confusion matrices; their numbers of classes may differ.
        settings: Settings of the intervals.
        quiet: Whether to hide the progress bar.

    Returns:
        Three rows per matrix, one per view, with the columns `COLUMNS` and `family`. The limits
        are nan without resamples and for a single sample.
    """
    parts = []
    for confusion in tqdm(confusions, desc="Intervals", unit="matrix", disable=quiet, leave=False):
        limits = np.full((2, len(VIEWS), len(QUANTITIES)), np.nan)
        if settings.n_resamples:
            limits = np.stack(confusion_interval(confusion.counts, quantities, **vars(settings)))
            limits = limits.clip(0, 1)  # no value lies outside
        parts.append(np.concatenate([quantities(confusion.counts)[None], limits]))
    values = np.array(parts).reshape(-1, 3, len(VIEWS), len(QUANTITIES))
    columns = {
        name: np.repeat([getattr(confusion, name) for confusion in confusions], len(VIEWS))
        for name in (*_KEYS, "family")
    }
    columns["view"] = np.tile(VIEWS, len(confusions))
    columns["n_samples"] = np.repeat([int(c.counts.sum()) for c in confusions], len(VIEWS))
    for number, quantity in enumerate(QUANTITIES):
        for kind, ending in enumerate(("", "_low", "_high")):
            columns[f"{quantity}{ending}"] = values[:, kind, :, number].ravel()
    return pd.DataFrame(columns)[[*COLUMNS, "family"]]


def select_iterations(iterations: Sequence[int], start: int, every: int) -> list[int]:
    """Select the iterations to show.

    Args:
        iterations: Numbers of the iterations.
        start: First iteration to show.
        every: Distance: multiples of this number are shown.

    Returns:
        Selected iterations in their order, including the last iteration in any case.

    Example:
        >>> select_iterations(range(1, 12), start=4, every=3)
        [6, 9, 11]
    """
    last = max(iterations, default=0)
    return [i for i in iterations if i == last or (i >= start and i % every == 0)]


def shown_iterations(table: pd.DataFrame, checkpoint: str) -> pd.DataFrame:
    """Rows of the iteration of each run and split that the summary shows.

    Args:
        table: Result of `coordinate_table`.
        checkpoint: "best" for the best iteration on dev, "last" for the last iteration.
    """
    if checkpoint == "best":
        return table[table["is_best"] == True]  # noqa: E712 - may be None
    last = table.groupby(["run", "split"])["iteration"].transform("max")
    return table[table["iteration"] == last]


def summary_table(table: pd.DataFrame, confidence: float, checkpoint: str = "last") -> pd.DataFrame:
    """Table of the means over runs that differ only in the seed, at one iteration of each.

    Args:
        table: Result of `coordinate_table`.
        confidence: Confidence level of the intervals, in (0, 1).
        checkpoint: "best" for the best iteration on dev, "last" for the last iteration.

    Returns:
        One row per family, split, stratum and view, with the column `checkpoint`. Each quantity is
        a mean over runs with its standard deviation `*_sd` and the limits `*_low` and `*_high` of
        Student's interval of the mean. For a single run, the standard deviation is nan and the
        limits are those over samples. For two runs, the limits are nan.
    """
    keys = ["family", "model", "criterion", "dataset", "split"]
    keys += ["stratum_column", "stratum", "view"]
    groups = shown_iterations(table, checkpoint).groupby(keys, sort=False)
    n_runs = groups.size()
    summary = pd.DataFrame({"n_runs": n_runs})
    summary["checkpoint"] = checkpoint
    summary["iterations"] = groups["iteration"].agg(lambda values: " ".join(_unique(values)))
    summary["n_samples"] = groups["n_samples"].mean()
    several = n_runs > 1
    factor = stdtrit(n_runs.clip(lower=2) - 1, (1 + confidence) / 2) / np.sqrt(n_runs)
    for quantity in QUANTITIES:
        mean, sd = groups[quantity].mean(), groups[quantity].std()
        summary[quantity], summary[f"{quantity}_sd"] = mean, sd
        for end, sign in (("low", -1), ("high", 1)):
            own = groups[f"{quantity}_{end}"].first()
            limits = (mean + sign * factor * sd).clip(0, 1).where(n_runs > 2)
            summary[f"{quantity}_{end}"] = own.where(~several, limits)
    return summary.reset_index()


def _unique(values: pd.Series) -> list[str]:
    return [str(value) for value in sorted(values.unique())]


def without_constant(table: pd.DataFrame) -> pd.DataFrame:
    """Table without `model`, `dataset` and `is_best` where they say nothing.

    Args:
        table: Table with these columns.

    Returns:
        The table without those of the columns that are empty, and without `dataset` if it is the
        same in all rows.
    """
    dropped = [
        name for name in ("model", "is_best") if name in table and not _is_known(table[name])
    ]
    if table["dataset"].nunique() == 1:
        dropped.append("dataset")
    return table.drop(columns=dropped)


def _is_known(values: pd.Series) -> bool:
    return bool((values.notna() & (values != "")).any())


def family_labels(table: pd.DataFrame) -> dict[str, str]:
    """Short label of each family of runs.

    Args:
        table: Table with the columns `family` and `criterion`.

    Returns:
        Labels by family: the criterion if all families have different criteria, else the parts of
        the name in which the families differ.
    """
    criteria = dict(table[["family", "criterion"]].drop_duplicates().to_numpy())
    if len(set(criteria.values())) == len(criteria):
        return criteria
    return dict(zip(criteria, run_labels(list(criteria)), strict=True))
