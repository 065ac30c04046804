"""Tables of the entropy triangle coordinates of confusion matrices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit
from tqdm import tqdm

from autrainer_ext.errors import unknown_name
from autrainer_ext.information import (
    VIEWS,
    accuracy,
    balanced_accuracy,
    cartesian,
    confusion_intervals,
    ema,
    entropies,
    nit,
    triangle_points,
)
from autrainer_ext.information.confusion_intervals import check_interval_settings
from autrainer_ext.information.posterior import present_classes, samples_needed
from autrainer_ext.runs import run_labels

EVERYTHING = "all"  # column and value of the stratum of all samples
_COORDINATES = ("divergence", "mutual_information", "variation", "x", "y")
_SCORES = ("accuracy", "balanced_accuracy", "ema", "nit")
QUANTITIES = (*_COORDINATES, *_SCORES)
FEWEST_RUNS = 3  # for an interval over runs: that of two is as wide as the range
INTERVALS = ("shown", "all", "none")
_ENDINGS = ("", "_corrected", "_low", "_high")


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
    "n_needed",
    *[f"{quantity}{ending}" for quantity in QUANTITIES for ending in _ENDINGS[1:]],
]


@dataclass(frozen=True)
class IntervalSettings:
    """Settings of the intervals over samples; see `autrainer_ext.information.confusion_intervals`.

    Attributes:
        which: Iterations with intervals: "shown" (those of the summary), "all" or "none".
        confidence: Confidence level, in (0, 1).
        n_draws: Number of posterior draws per confusion matrix.
        seed: Seed of the draws.
    """

    which: str
    confidence: float
    n_draws: int
    seed: int

    def __post_init__(self) -> None:
        if self.which not in INTERVALS:
            raise unknown_name("choice of intervals", self.which, INTERVALS)
        check_interval_settings(self.confidence, self.n_draws)


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
    confusions: Sequence[ConfusionMatrix],
    settings: IntervalSettings,
    checkpoint: str = "last",
    *,
    quiet: bool = False,
) -> pd.DataFrame:
    """Table of the coordinates of confusion matrices, with intervals over their samples.

    Args:
        confusions: Confusion matrices; their numbers of classes may differ.
        settings: Settings of the intervals.
        checkpoint: Iteration that the summary shows, "best" or "last".
        quiet: Whether to hide the progress bar.

    Returns:
        Three rows per matrix, one per view, with the columns `COLUMNS` and `family`. Corrected
        values and limits are nan in iterations without intervals, and with too few samples.
    """
    columns = {
        name: np.repeat([getattr(confusion, name) for confusion in confusions], len(VIEWS))
        for name in (*_KEYS, "family")
    }
    columns["view"] = np.tile(VIEWS, len(confusions))
    columns["n_samples"] = np.repeat([int(c.counts.sum()) for c in confusions], len(VIEWS))
    columns["n_needed"] = np.repeat([_n_needed(c.counts) for c in confusions], len(VIEWS))
    values = np.array([quantities(confusion.counts) for confusion in confusions])
    chosen = _with_intervals(confusions, settings.which, checkpoint)
    limits = _limits(confusions, chosen, settings, quiet)
    values = np.concatenate([values[:, None], limits], axis=1)
    for number, quantity in enumerate(QUANTITIES):
        for kind, ending in enumerate(_ENDINGS):
            columns[f"{quantity}{ending}"] = values[:, kind, :, number].ravel()
    return pd.DataFrame(columns)[[*COLUMNS, "family"]]


def _n_needed(counts: np.ndarray) -> int:
    """Number of samples from which all quantities have intervals."""
    return samples_needed("x_true", len(present_classes(counts)))


def _with_intervals(
    confusions: Sequence[ConfusionMatrix], which: str, checkpoint: str
) -> list[int]:
    """Numbers of the matrices that have intervals."""
    last: dict[tuple[str, str], int] = {}
    for c in confusions:
        last[c.run, c.split] = max(c.iteration, last.get((c.run, c.split), 0))

    def is_shown(c: ConfusionMatrix) -> bool:
        return bool(c.is_best) if checkpoint == "best" else c.iteration == last[c.run, c.split]

    return [
        number
        for number, c in enumerate(confusions)
        if which == "all" or (which == "shown" and is_shown(c))
    ]


def _limits(
    confusions: Sequence[ConfusionMatrix],
    chosen: Sequence[int],
    settings: IntervalSettings,
    quiet: bool,
) -> np.ndarray:
    """Corrected values, lower and upper limits, shape (matrices, 3, 3 views, quantities)."""
    limits = np.full((len(confusions), 3, len(VIEWS), len(QUANTITIES)), np.nan)
    for number in tqdm(chosen, desc="Intervals", unit="matrix", disable=quiet, leave=False):
        found = confusion_intervals(
            confusions[number].counts,
            confidence=settings.confidence,
            n_draws=settings.n_draws,
            seed=settings.seed,
        )
        for row, view in enumerate(VIEWS):
            for column, quantity in enumerate(QUANTITIES):
                interval = found.get(f"{quantity}_{view}") or found[quantity]
                limits[number, :, row, column] = interval.corrected, interval.low, interval.high
    return limits


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
        a mean over runs with its standard deviation `*_sd`, the mean of the corrected values
        `*_corrected`, and the limits `*_low` and `*_high` for other runs and other samples. Their
        distances to the corrected mean are the square roots of the sums of two squares: that of
        Student's interval over runs, and the mean distance over samples, as if all runs had the
        same samples. For a single run, the standard deviation is nan and the limits are those over
        samples; for two runs, and where a run has no interval, the limits are nan.
    """
    keys = ["family", "model", "criterion", "dataset", "split"]
    keys += ["stratum_column", "stratum", "view"]
    groups = shown_iterations(table, checkpoint).groupby(keys, sort=False)
    n_runs = groups.size()
    columns = {
        "n_runs": n_runs,
        "checkpoint": pd.Series(checkpoint, index=n_runs.index),
        "iterations": groups["iteration"].agg(lambda values: " ".join(_unique(values))),
        "n_samples": groups["n_samples"].mean(),
    }
    enough, single = n_runs >= FEWEST_RUNS, n_runs == 1
    factor = stdtrit(n_runs.clip(lower=2) - 1, (1 + confidence) / 2) / np.sqrt(n_runs)
    for quantity in QUANTITIES:
        corrected, low, high = (
            groups[f"{quantity}_{end}"].agg(lambda values: values.mean(skipna=False))
            for end in ("corrected", "low", "high")
        )
        over_runs = factor * groups[f"{quantity}_corrected"].std()
        columns[quantity] = groups[quantity].mean()
        columns[f"{quantity}_sd"] = groups[quantity].std()
        columns[f"{quantity}_corrected"] = corrected
        for end, limit, sign in (("low", low, -1), ("high", high, 1)):
            both = corrected + sign * np.hypot(over_runs, limit - corrected)
            columns[f"{quantity}_{end}"] = limit.where(single, both.clip(0, 1).where(enough))
    return pd.DataFrame(columns).reset_index()


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
    return dict(zip(criteria, run_labels(list(criteria), with_seed=False), strict=True))
