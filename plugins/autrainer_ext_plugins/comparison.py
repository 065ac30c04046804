"""Conditions against each other: paired differences over seeds and recordings."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from autrainer_ext.information import crossed_mean_interval
from autrainer_ext.runs import Run

_COLUMNS = ["first", "second", "n_seeds", "difference", "low", "high"]


def difference_table(
    runs: Sequence[Run], values: Mapping[tuple[str, str], Mapping[str, pd.Series]], keys: list[str]
) -> pd.DataFrame:
    """Differences of all pairs of conditions, runs that differ in more than the seed.

    Runs of the same seed are compared on the same recordings. The interval is that for other
    seeds and other recordings; with one common seed, for other recordings only (see
    `crossed_mean_interval`).

    Args:
        runs: The runs.
        values: For all that is compared, such as a score on a group of devices: by name of the run,
            the value of every recording, or what every group of parallel recordings contributes,
            under the name of the recording.
        keys: What the two names that `values` are sorted by stand for.

    Returns:
        One row for each of them and each pair with a seed in common: the two names, those of the
        conditions without their seed, the number of common seeds, the mean of the first less that
        of the second, and the ends of the 95 % interval. Conditions tested on other recordings, or
        every seed on its own, are no pair.
    """
    by_name = {run.name: run for run in runs}
    rows = [
        (*names, *row)
        for names, of_runs in values.items()
        for row in _compare_conditions(by_name, of_runs)
    ]
    return pd.DataFrame(rows, columns=[*keys, *_COLUMNS])


def _compare_conditions(runs: Mapping[str, Run], values: Mapping[str, pd.Series]) -> list[tuple]:
    conditions: defaultdict[str, dict[str, pd.Series]] = defaultdict(dict)
    for name, of_run in values.items():
        conditions[runs[name].family][runs[name].seed] = of_run.sort_index(kind="stable")
    rows = []
    for first, second in combinations(conditions, 2):
        ours, theirs = conditions[first], conditions[second]
        seeds = [
            seed for seed in ours if seed in theirs and ours[seed].index.equals(theirs[seed].index)
        ]
        if not seeds or any(not ours[seed].index.equals(ours[seeds[0]].index) for seed in seeds):
            continue
        differences = np.stack([ours[seed].to_numpy() - theirs[seed].to_numpy() for seed in seeds])
        interval = crossed_mean_interval(differences)
        rows.append((first, second, len(seeds), differences.mean(), *interval))
    return rows
