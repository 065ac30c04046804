"""Table of the agreement between runs on the difficulty of samples."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.difficulty import correlate_pairs, mean_agreement
from autrainer_ext.difficulty.tables import ScoredSplit
from autrainer_ext.runs import Run

# Factors in which two runs can differ. The learning rate depends on network and optimiser.
_FACTORS: dict[str, Callable[[Mapping], object]] = {
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


def agreement_table(
    scored: ScoredSplit, classes: pd.DataFrame, *, n_resamples: int, seed: int
) -> pd.DataFrame:
    """Table of the rank correlations between the cumulative accuracies of runs.

    Args:
        scored: Difficulty of the samples of a split.
        classes: Result of `class_table`.
        n_resamples: Number of bootstrap resamples of the samples.
        seed: Seed of the resampling.

    Returns:
        Means over the pairs of runs that differ in one factor, in several or in none, and over all
        pairs; correlation of the mean cumulative accuracy of the classes with their test accuracy;
        one row per pair.
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
    """Factor in which two runs differ, or "several" or "nothing"."""
    different = [
        name for name, value in _FACTORS.items() if value(first.config) != value(second.config)
    ]
    return different[0] if len(different) == 1 else "several" if different else "nothing"
