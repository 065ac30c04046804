"""Tables of triangle coordinates, from confusion counts and where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

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

EVERYTHING = "all"
_COORDINATES = ("divergence", "mutual_information", "variation", "x", "y")
_SCORES = ("accuracy", "balanced_accuracy", "ema", "nit")
QUANTITIES = (*_COORDINATES, *_SCORES)


@dataclass(frozen=True)
class ConfusionMatrix:
    """Confusion counts and where they come from.

    Attributes:
        counts: Counts, shape (C, C); rows are true classes.
        run: Name of the run.
        family: What the runs that differ in the seed alone have in common.
        criterion: Name of the criterion.
        seed: Seed or fold.
        split: Split of the data.
        iteration: Iteration of training.
        stratum_column: Column of the data set that tells the samples apart, or "all".
        stratum: Value of that column, or "all".
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


_KEYS = [field.name for field in fields(ConfusionMatrix) if field.name not in ("counts", "family")]
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
    """How intervals over samples are made; see `autrainer_ext.information.bootstrap`.

    Attributes:
        method: "basic", "percentile" or "bca".
        confidence: Share of intervals that should hold the true value.
        n_resamples: Number of resamples; 0 for no intervals.
        seed: Seed of the resamples.
    """

    method: str = "basic"
    confidence: float = 0.95
    n_resamples: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_resamples:
            confusion_interval(np.zeros((0, 1, 1)), quantities, **vars(self))  # checks the values


def quantities(counts: np.ndarray) -> np.ndarray:
    """Everything the table shows of square confusion tables.

    Args:
        counts: Counts, shape (..., C, C).

    Returns:
        Values in [0, 1], shape (..., 3 views, 9 quantities), in the order of `VIEWS` and
        `QUANTITIES`. The scores are the same in every view.
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
    """Coordinates of confusion tables, with intervals over their samples.

    Args:
        confusions: Tables; of the same size or not.
        settings: How intervals are made.
        quiet: Whether to show no progress.

    Returns:
        Three rows per table, one for each view, with the columns `COLUMNS` and `family`. Limits
        are nan without resamples and for a single sample.
    """
    parts = []
    for confusion in tqdm(confusions, desc="Intervals", unit="table", disable=quiet, leave=False):
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


def last_iterations(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the last iteration that each run has of each split."""
    last = table.groupby(["run", "split"])["iteration"].transform("max")
    return table[table["iteration"] == last]


def summary_table(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Means over runs that differ in their seed alone, each at its last iteration.

    Args:
        table: What `coordinate_table` returns.
        confidence: Share of intervals that should hold the true mean.

    Returns:
        One row per family, split, stratum and view. Each quantity is a mean with its standard
        deviation `*_sd` and the limits `*_low` and `*_high` of Student's interval of the mean
        over runs. A single run has no standard deviation and keeps its own limits, over samples.
    """
    keys = ["family", "criterion", "split", "stratum_column", "stratum", "view"]
    groups = last_iterations(table).groupby(keys, sort=False)
    n_runs = groups.size()
    summary = pd.DataFrame({"n_runs": n_runs})
    summary["iterations"] = groups["iteration"].agg(lambda values: " ".join(_unique(values)))
    summary["n_samples"] = groups["n_samples"].mean()
    several = n_runs > 1
    factor = stdtrit(n_runs.clip(lower=2) - 1, (1 + confidence) / 2) / np.sqrt(n_runs)
    for quantity in QUANTITIES:
        mean, sd = groups[quantity].mean(), groups[quantity].std()
        summary[quantity], summary[f"{quantity}_sd"] = mean, sd
        for end, sign in (("low", -1), ("high", 1)):
            own = groups[f"{quantity}_{end}"].first()
            summary[f"{quantity}_{end}"] = own.where(
                ~several, (mean + sign * factor * sd).clip(0, 1)
            )
    return summary.reset_index()


def _unique(values: pd.Series) -> list[str]:
    return [str(value) for value in sorted(values.unique())]


def labels(table: pd.DataFrame) -> dict[str, str]:
    """A short name for every family.

    Args:
        table: Table with the columns `family` and `criterion`.

    Returns:
        Names by family: the criterion where it tells the families apart, else the parts of the
        family's name that are not common to all.
    """
    criteria = dict(table[["family", "criterion"]].drop_duplicates().to_numpy())
    if len(set(criteria.values())) == len(criteria):
        return criteria
    return dict(zip(criteria, run_labels(list(criteria)), strict=True))
