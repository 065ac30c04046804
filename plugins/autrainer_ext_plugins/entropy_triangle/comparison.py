"""Compare groups of runs: a table of all pairs, and what can be said in words."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np
import pandas as pd

from autrainer_ext.information import Contributions, compare_groups, sample_contributions
from autrainer_ext.runs import Run, RunOutputs

from .tables import IntervalSettings

# Column of the table: measure, and words for a higher value.
SCORES = {
    "accuracy": ("accuracy", "is better than"),
    "balanced_accuracy": ("balanced_accuracy", "is better than"),
    "ema": ("ema", "is better than"),
    "mutual_information": ("mutual_information", "keeps more information than"),
    "skew": ("divergence_pred", "has more skewed predictions than"),
}
HELD_OUT = ("dev", "test")  # training data are other samples only in name
COLUMNS = ["split", "score", "first", "second", "n_seeds", "n_samples"]
COLUMNS += ["difference", "low", "high", "n_needed", "higher"]
_NAMED_AT_MOST = 6  # pairs that cannot be told apart


@dataclass(frozen=True)
class ShownOutputs:
    """Labels of a run on a split.

    Attributes:
        group: Name of the group of the run.
        seed: Seed of the run.
        split: Name of the split.
        samples: Indices of the samples in ascending order, shape (N,).
        y_true: True class indices, shape (N,).
        y_pred: Predicted class indices, shape (N,).
        n_classes: Number of classes.
    """

    group: str
    seed: str
    split: str
    samples: np.ndarray
    y_true: np.ndarray
    y_pred: np.ndarray
    n_classes: int


def shown_outputs(group: str, run: Run, split: str, outputs: RunOutputs) -> ShownOutputs:
    """Labels from the outputs of a run, in the order of the samples."""
    order = np.argsort(outputs.indices, kind="stable")
    predicted = outputs.outputs.argmax(axis=1)
    return ShownOutputs(
        group,
        run.seed,
        split,
        outputs.indices[order],
        outputs.targets[order],
        predicted[order],
        len(outputs.class_names),
    )


def groups_of(run: Run, label: str, groups: Mapping[str, str | Sequence[str]] | None) -> list[str]:
    """Names of the groups that a run belongs to.

    Args:
        run: The run.
        label: Label of its family, the group without `groups`.
        groups: Patterns of names of runs by group, such as `{"balanced": ["*Weighted*"]}`.

    Returns:
        Names of groups, in the order of `groups`.
    """
    if groups is None:
        return [label]
    patterns = {name: [p] if isinstance(p, str) else p for name, p in groups.items()}
    return [name for name, own in patterns.items() if any(fnmatch(run.name, p) for p in own)]


def comparison_table(outputs: Sequence[ShownOutputs], settings: IntervalSettings) -> pd.DataFrame:
    """Table of the differences between all pairs of groups on the same samples.

    Args:
        outputs: Labels of all runs and splits.
        settings: Confidence level, number of draws and seed of the intervals.

    Returns:
        One row per split, score and pair of groups with a common seed, with the columns `COLUMNS`:
        number of common seeds and of samples, mean of the first group minus that of the second
        (corrected for the bias of small samples), limits of the simultaneous interval over seeds
        and samples, number of samples that an interval needs, and the name of the group that is
        higher, empty if this cannot be told. Groups are compared with the most frequent samples of
        a split; those with other samples are left out.
    """
    rows: list[tuple] = []
    for split in dict.fromkeys(each.split for each in outputs):
        same = _same_samples([each for each in outputs if each.split == split])
        found = [
            sample_contributions(
                each.y_true,
                each.y_pred,
                each.n_classes,
                confidence=settings.confidence,
                n_draws=settings.n_draws,
                seed=settings.seed + number,
            )
            for number, each in enumerate(same)
        ]
        for score, (measure, _) in SCORES.items():
            groups: defaultdict[str, defaultdict[str, list[Contributions]]] = defaultdict(
                lambda: defaultdict(list)
            )
            for each, contributions in zip(same, found, strict=True):
                groups[each.group][each.seed].append(contributions[measure])
            needed = max((c[measure].interval.n_needed for c in found), default=0)
            n = len(same[0].samples)
            for d in compare_groups(groups, confidence=settings.confidence, seed=settings.seed):
                higher = d.first if d.low > 0 else d.second if d.high < 0 else ""
                names = (split, score, d.first, d.second, d.n_seeds, n)
                rows.append((*names, d.difference, d.low, d.high, needed, higher))
    return pd.DataFrame(rows, columns=COLUMNS)


def _same_samples(outputs: Sequence[ShownOutputs]) -> list[ShownOutputs]:
    """Those outputs that are for the same samples and labels as most."""
    by_samples: defaultdict[bytes, list[ShownOutputs]] = defaultdict(list)
    for each in outputs:
        by_samples[each.samples.tobytes() + each.y_true.tobytes()].append(each)
    return max(by_samples.values(), key=len)


def describe(table: pd.DataFrame, confidence: float) -> Iterator[str]:
    """Say in words which groups differ and which cannot be told apart.

    Args:
        table: Result of `comparison_table`.
        confidence: Confidence level of the intervals.

    Yields:
        Lines of text.
    """
    yield (
        f"Differences of all pairs, corrected for small samples, with {100 * confidence:g} % "
        "intervals that hold at once per split and score."
    )
    for (split, score), rows in table.groupby(["split", "score"], sort=False):
        first = rows.iloc[0]
        seeds = " or ".join(str(n) for n in sorted(rows["n_seeds"].unique()))
        over = "recordings" if seeds == "1" else "seeds and recordings"
        yield ""
        yield (
            f"{split}, {str(score).replace('_', ' ')}: {first['n_samples']} recordings, {seeds} "
            f"seed{'' if seeds == '1' else 's'}, intervals over {over}"
        )
        yield from (f"  {line}" for line in _sentences(rows, SCORES[str(score)][1]))


def _sentences(rows: pd.DataFrame, verb: str) -> Iterator[str]:
    if rows["low"].isna().all():
        first = rows.iloc[0]
        yield f"no interval: needs {first['n_needed']} recordings, has {first['n_samples']}"
        return
    told = rows[rows["higher"] != ""].sort_values("difference", key=abs, ascending=False)
    for row in told.to_dict("records"):
        lower = row["second"] if row["higher"] == row["first"] else row["first"]
        low, high = sorted((abs(row["low"]), abs(row["high"])))
        by = f"{abs(row['difference']):.3f} ({low:.3f} to {high:.3f})"
        yield f"{row['higher']} {verb} {lower}, by {by}"
    open_ones = rows[rows["higher"] == ""]
    names = [f"{a} and {b}" for a, b in open_ones[["first", "second"]].to_numpy()]
    if len(names) > _NAMED_AT_MOST:
        yield f"cannot be told apart: {len(names)} of {len(rows)} pairs"
    elif names:
        yield f"cannot be told apart: {'; '.join(names)}"
