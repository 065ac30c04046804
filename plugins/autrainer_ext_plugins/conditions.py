"""Compare conditions: paired differences over seeds, recordings and parallel groups.

A condition is the set of runs that differ only in the seed.
"""

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
    """Check that the table of a run has a column.

    Args:
        table: Table of a split of the run.
        column: Name of the column.
        run: The run.

    Raises:
        ValueError: If the column is missing; the message lists the existing columns.
    """
    if column not in table:
        raise unknown_name("column", column, table, where=f"the tables of '{run.name}'")


def parallel_groups(
    table: pd.DataFrame, run: Run, group: str | list[str] | None
) -> np.ndarray | None:
    """Number the groups of parallel recordings: recordings of one moment on several devices.

    Args:
        table: Table of a split of the run.
        run: The run; the setting `parallel_group` of its configuration is used if `group` is None.
        group: Column or columns whose values parallel recordings share.

    Returns:
        Group of each row, counted from 0, shape (rows,); a row without a value is a group of its
        own. None if no columns are given.

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
    """Contribution of each parallel group to the mean of a score.

    Args:
        values: Value of each recording, indexed by its name, length N.
        groups: Group of each recording, shape (N,), or None if each recording is its own group.

    Returns:
        Contributions as computed by `cluster_contributions`, indexed by the first name of each
        group; without groups, `values` itself.
    """
    if groups is None:
        return values
    names = values.index.to_series().groupby(groups).min()
    return pd.Series(cluster_contributions(values.to_numpy(), groups), index=names.to_numpy())


def difference_table(
    runs: Sequence[Run], values: Mapping[tuple[str, str], Mapping[str, pd.Series]], keys: list[str]
) -> pd.DataFrame:
    """Table of the differences between all pairs of conditions.

    Runs with the same seed are compared on the same recordings. The interval accounts for the
    choice of seeds and recordings; with one common seed, for recordings only (see
    `crossed_mean_interval`).

    Args:
        runs: The runs.
        values: Compared values: for each pair of names, such as a score and a group of devices, a
            mapping from the name of a run to its values, indexed by recording. Use `contributions`
            for parallel recordings.
        keys: Names of the two columns for the keys of `values`.

    Returns:
        One row per key of `values` and pair of conditions with a common seed: the two names, both
        conditions (names of runs without the seed), the number of common seeds, the mean of the
        first condition minus the mean of the second, and the lower and upper limit of the 95 %
        interval. Conditions without a common seed or with different recordings are left out.
    """
    by_name = {run.name: run for run in runs}
    rows = [
        (*names, *row)
        for names, of_runs in values.items()
        for row in _compare_conditions(by_name, of_runs)
    ]
    return pd.DataFrame(rows, columns=[*keys, *_COLUMNS])


def _compare_conditions(runs: Mapping[str, Run], values: Mapping[str, pd.Series]) -> list[tuple]:
    """Rows of the table for all pairs of conditions with a common seed."""
    conditions: defaultdict[str, dict[str, pd.Series]] = defaultdict(dict)
    for name, of_run in values.items():
        conditions[runs[name].family][runs[name].seed] = of_run.sort_index(kind="stable")
    rows = []
    for first, second in combinations(conditions, 2):
        one, other = conditions[first], conditions[second]
        seeds = [
            seed for seed in one if seed in other and one[seed].index.equals(other[seed].index)
        ]
        if not seeds or any(not one[seed].index.equals(one[seeds[0]].index) for seed in seeds):
            continue
        differences = np.stack([one[seed].to_numpy() - other[seed].to_numpy() for seed in seeds])
        interval = crossed_mean_interval(differences)
        rows.append((first, second, len(seeds), differences.mean(), *interval))
    return rows
