"""Conditions against each other: paired differences over seeds, recordings and parallel groups."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from autrainer_ext.errors import unknown_name
from autrainer_ext.intervals import cluster_contributions, crossed_mean_interval
from autrainer_ext.runs import Run

_COLUMNS = ["first", "second", "n_seeds", "difference", "low", "high"]


def check_column(table: pd.DataFrame, column: str, run: Run) -> None:
    """See to it that the table of a run has a column.

    Raises:
        ValueError: If it has not; the message names the columns there are.
    """
    if column not in table:
        raise unknown_name("column", column, table, where=f"the tables of '{run.name}'")


def parallel_groups(
    table: pd.DataFrame, run: Run, group: str | list[str] | None
) -> np.ndarray | None:
    """Number of the group of parallel recordings that every row belongs to.

    Args:
        table: Table of a split of the run.
        run: The run; its `parallel_group` is used where `group` is None.
        group: Column, or columns, whose values parallel recordings share.

    Returns:
        Numbers from 0, shape (rows,); rows of unknown group are each a group of their own. None
        if there are no groups.

    Raises:
        ValueError: If a column is missing.
    """
    group = run.config.get("parallel_group") if group is None else group
    if not group:
        return None
    columns = [group] if isinstance(group, str) else list(group)
    for column in columns:
        check_column(table, column, run)
    numbers = table.groupby(columns).ngroup().fillna(-1).to_numpy(dtype=int)  # nan: unknown
    alone = numbers.max(initial=-1) + 1 + np.arange(len(numbers))
    return np.where(numbers < 0, alone, numbers)


def contributions(values: pd.Series, groups: np.ndarray | None) -> pd.Series:
    """Contribution of every parallel group to the mean of a score.

    Args:
        values: Value of every recording, indexed by its name, length N.
        groups: Group of every recording, shape (N,), or None if every recording is its own group.

    Returns:
        See `cluster_contributions`; indexed by the first name of each group.
    """
    if groups is None:
        return values
    names = values.index.to_series().groupby(groups).min()
    return pd.Series(cluster_contributions(values.to_numpy(), groups), index=names.to_numpy())


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
