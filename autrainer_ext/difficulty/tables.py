"""Tables of the difficulty of samples and classes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from autrainer_ext.intervals import share_interval
from autrainer_ext.runs import Run, read_columns, read_outputs

from .from_runs import MeasuredRun, check_same_samples, measure_saved
from .measures import SampleDifficulty, class_means, pool_runs
from .ranking import Ranks, rank_difficulty

_BEST = {"dev": "_best", "test": "_test"}  # folders of the outputs of the best checkpoint


@dataclass(frozen=True)
class ScoredSplit:
    """Difficulty of the samples of a split for an ensemble of runs.

    Attributes:
        split: "train", "dev" or "test".
        measured: Runs of the ensemble, sorted by name.
        difficulty: Pooled measures.
        ranks: Ranks from easiest to hardest.
    """

    split: str
    measured: list[MeasuredRun]
    difficulty: SampleDifficulty
    ranks: Ranks


def score_runs(
    runs: Sequence[Run],
    split: str,
    *,
    stop: str = "best",
    average: str = "micro",
    tie_break: str | None = None,
) -> ScoredSplit:
    """Difficulty of the samples of a split for an ensemble of runs.

    Args:
        runs: Runs with the same samples, at least one.
        split: "train", "dev" or "test".
        stop: "best" for the checkpoints up to the best one on dev, "last" for all checkpoints.
        average: "micro" pools the checkpoints of all runs, "macro" averages over runs.
        tie_break: None keeps ties, "margin" orders tied samples by their mean margin.

    Returns:
        Measures and ranks.

    Raises:
        ValueError: If a run has no clean outputs of the split, or the runs have different samples;
            the message names the run.
    """
    measured = [measure_saved(run, split, stop=stop) for run in runs]
    check_same_samples(measured)
    difficulty = pool_runs([each.difficulty for each in measured], average=average)
    margin = difficulty.margin if tie_break == "margin" else None
    return ScoredSplit(
        split,
        measured,
        difficulty,
        rank_difficulty(difficulty.cumulative_accuracy, tie_break=margin),
    )


def score_table(scored: ScoredSplit) -> pd.DataFrame:
    """Table of all measures per sample, with the columns of the data set.

    Args:
        scored: Difficulty of the samples of a split.

    Returns:
        One row per sample, in the order of the split.
    """
    first = scored.measured[0]
    index = read_columns(first.run).index
    own = {"split", "index", "filename", "target", *_names(SampleDifficulty), *_names(Ranks)}
    names = {column: f"{column}_" if column in own else column for column in first.samples}
    described = first.samples.drop(columns=index).rename(columns=names)
    measures = {
        name: getattr(scored.difficulty, name) for name in ("hits", "count", "cumulative_accuracy")
    }
    measures |= {name: getattr(scored.ranks, name) for name in _names(Ranks)}
    measures["margin"] = scored.difficulty.margin
    measures |= {name: getattr(scored.difficulty, name) for name in _names(SampleDifficulty)}
    return pd.DataFrame(
        {
            "split": scored.split,
            "index": np.arange(len(first.targets)),
            "filename": first.samples[index],
            "target": [first.class_names[target] for target in first.targets],
            **described,
            **measures,
        }
    )


def class_table(scored: Sequence[ScoredSplit]) -> pd.DataFrame:
    """Table of the mean difficulty of each class and its accuracy on dev and test.

    Args:
        scored: Difficulty of the samples of several splits, for the same runs.

    Returns:
        One row per split and class, hardest first: number of samples, mean cumulative accuracy
        with its interval, mean rank, and accuracy of the best checkpoints on dev and test. The
        accuracies are means over runs; their intervals are over samples, for these runs.
    """
    measured = scored[0].measured
    class_names = measured[0].class_names
    accuracies = {split: _class_accuracies(measured, split) for split in ("dev", "test")}
    tables = []
    for each in scored:
        targets, easiness = each.measured[0].targets, each.difficulty.cumulative_accuracy
        by_class = [easiness[targets == label] for label in range(len(class_names))]
        table = pd.DataFrame(
            {
                "split": each.split,
                "target": class_names,
                "samples": [len(scores) for scores in by_class],
                "cumulative_accuracy": class_means(easiness, targets, n_classes=len(class_names)),
                "rank": class_means(each.ranks.rank, targets, n_classes=len(class_names)),
            }
        )
        intervals = [share_interval(scores) for scores in by_class]
        table.insert(4, "cumulative_accuracy_low", [low for low, _ in intervals])
        table.insert(5, "cumulative_accuracy_high", [high for _, high in intervals])
        for split, columns in accuracies.items():
            table[[f"{split}_accuracy{end}" for end in ("", "_low", "_high")]] = columns
        tables.append(table.sort_values("cumulative_accuracy", kind="stable"))
    return pd.concat(tables)


def _class_accuracies(measured: Sequence[MeasuredRun], split: str) -> np.ndarray:
    """Accuracy of the best checkpoints per class, with lower and upper limit, shape (C, 3)."""
    n_classes = len(measured[0].class_names)
    if not all(
        (each.run.path / _BEST[split] / f"{split}_outputs.npy").is_file() for each in measured
    ):
        return np.full((n_classes, 3), np.nan)
    outputs = [read_outputs(each.run, split) for each in measured]
    targets = outputs[0].targets
    for each, other in zip(measured, outputs, strict=True):
        if not np.array_equal(other.targets, targets):
            raise ValueError(
                f"Runs '{measured[0].run.name}' and '{each.run.name}' have different {split} "
                "samples."
            )
    shares = np.mean([each.outputs.argmax(axis=1) == targets for each in outputs], axis=0)
    by_class = [shares[targets == label] for label in range(n_classes)]
    means = [values.mean() if len(values) else np.nan for values in by_class]
    return np.array(
        [(mean, *share_interval(values)) for mean, values in zip(means, by_class, strict=True)]
    )


def _names(dataclass: type) -> list[str]:
    return [field.name for field in fields(dataclass)]
