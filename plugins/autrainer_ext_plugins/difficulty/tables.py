"""Tables of the plugin `SampleDifficulty`."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.difficulty import (
    Ranks,
    SampleDifficulty,
    class_means,
    correlate_pairs,
    mean_agreement,
)
from autrainer_ext.difficulty.from_runs import MeasuredRun
from autrainer_ext.intervals import mean_interval
from autrainer_ext.runs import Run, read_outputs

_BEST = {"dev": "_best", "test": "_test"}  # folders of the outputs of the best checkpoint

# What two runs can differ in. Learning rates go with networks and optimisers and are left out.
_FACTORS: dict[str, Callable[[dict], object]] = {
    "seed": lambda config: config["seed"],
    "model": lambda config: config["model"]["id"],
    "optimizer": lambda config: config["optimizer"]["id"],
    "setting": lambda config: [
        config["dataset"]["id"],
        config["batch_size"],
        config["training_type"],
        config["iterations"],
        config["scheduler"]["id"],
        config["augmentation"]["id"],
        config.get("curriculum"),
    ],
}
_AGREEMENT_COLUMNS = [
    "of", "n_pairs", "spearman", "spearman_low", "spearman_high",
    "kendall", "kendall_low", "kendall_high", "first", "second",
]  # fmt: skip


@dataclass(frozen=True)
class ScoredSplit:
    """An ensemble of runs and how hard it finds the samples of a split.

    Attributes:
        split: "train", "dev" or "test".
        measured: Its runs, by name.
        difficulty: Pooled measures.
        ranks: Places between easiest and hardest.
    """

    split: str
    measured: list[MeasuredRun]
    difficulty: SampleDifficulty
    ranks: Ranks


def score_table(scored: ScoredSplit) -> pd.DataFrame:
    """All measures of every sample, with the columns of the data set.

    Args:
        scored: A split and how hard its samples are.

    Returns:
        One row per sample in the order of the split.
    """
    first = scored.measured[0]
    config = first.run.config["dataset"]
    own = {"split", "index", "filename", "target", *_names(SampleDifficulty), *_names(Ranks)}
    names = {column: f"{column}_" if column in own else column for column in first.samples}
    described = first.samples.drop(columns=config["index_column"]).rename(columns=names)
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
            "filename": first.samples[config["index_column"]],
            "target": [first.class_names[target] for target in first.targets],
            **described,
            **measures,
        }
    )


def class_table(scored: Sequence[ScoredSplit]) -> pd.DataFrame:
    """Mean difficulty of every class and how well it is recognised in the test split.

    Args:
        scored: Splits of the same runs.

    Returns:
        One row per split and class, hardest first: number of samples, mean cumulative accuracy
        with its interval, mean rank, and accuracy on dev and test of the best checkpoints, mean
        over runs; the interval of the latter is that of other test samples, for these runs.
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
        intervals = [mean_interval(scores) for scores in by_class]
        table.insert(4, "cumulative_accuracy_low", [low for low, _ in intervals])
        table.insert(5, "cumulative_accuracy_high", [high for _, high in intervals])
        for split, columns in accuracies.items():
            table[[f"{split}_accuracy{end}" for end in ("", "_low", "_high")]] = columns
        tables.append(table.sort_values("cumulative_accuracy", kind="stable"))
    return pd.concat(tables)


def _class_accuracies(measured: Sequence[MeasuredRun], split: str) -> np.ndarray:
    """Accuracy of the best checkpoints by class with its interval, shape (C, 3)."""
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
                f"'{measured[0].run.name}' and '{each.run.name}' have different {split} samples."
            )
    shares = np.mean([each.outputs.argmax(axis=1) == targets for each in outputs], axis=0)
    by_class = [shares[targets == label] for label in range(n_classes)]
    means = [values.mean() if len(values) else np.nan for values in by_class]
    return np.array(
        [(mean, *mean_interval(values)) for mean, values in zip(means, by_class, strict=True)]
    )


def agreement_table(
    scored: ScoredSplit, classes: pd.DataFrame, *, n_resamples: int, seed: int
) -> pd.DataFrame:
    """Rank correlations of the cumulative accuracy of runs.

    Args:
        scored: A split and how hard its samples are.
        classes: The table of the classes.
        n_resamples: Bootstrap resamples of the samples.
        seed: Of the resamples.

    Returns:
        Means over all pairs of runs that differ in one thing, in several or in nothing, and over
        all; mean cumulative accuracy of the classes against their test accuracy; every pair.
    """
    names = [each.run.name for each in scored.measured]
    pairs = list(itertools.combinations(range(len(names)), 2))
    found = correlate_pairs(
        np.stack([d.hits / d.n_checkpoints for d in (m.difficulty for m in scored.measured)]),
        pairs,
        n_resamples=n_resamples,
        seed=seed,
        progress=lambda resamples: tqdm(resamples, desc="Agreement", leave=False),
    )
    groups: dict[str, list[int]] = defaultdict(list)
    for number, (i, j) in enumerate(pairs):
        groups[_difference(scored.measured[i].run, scored.measured[j].run)].append(number)
    order = [kind for kind in (*_FACTORS, "several", "nothing") if kind in groups]
    rows = [{"of": kind, **asdict(mean_agreement(found, groups[kind]))} for kind in order]
    if pairs:
        rows.append({"of": "all pairs", **asdict(mean_agreement(found))})
    easiness = classes.loc[classes["split"] == scored.split, "cumulative_accuracy"]
    accuracy = classes.loc[classes["split"] == scored.split, "test_accuracy"]
    if easiness.notna().all() and accuracy.notna().all() and len(easiness) > 1:
        against = correlate_pairs(
            np.stack([easiness, accuracy]),
            [(0, 1)],
            n_resamples=n_resamples,
            seed=seed,
        )
        rows.append({"of": "classes and test", **asdict(mean_agreement(against))})
    rows += [
        {"of": "pair", **asdict(mean_agreement(found, [n])), "first": names[i]}
        | {"second": names[j]}
        for n, (i, j) in enumerate(pairs)
    ]
    return pd.DataFrame(rows, columns=_AGREEMENT_COLUMNS)


def _difference(first: Run, second: Run) -> str:
    """What two runs differ in: one factor, several or nothing."""
    different = [
        name for name, value in _FACTORS.items() if value(first.config) != value(second.config)
    ]
    return different[0] if len(different) == 1 else "several" if different else "nothing"


def _names(dataclass: type) -> list[str]:
    return [field.name for field in fields(dataclass)]
