"""Recordings of one moment on several devices, which are no independent samples."""

import numpy as np
import pandas as pd

from autrainer_ext.runs import Run


def check_column(table: pd.DataFrame, column: str, run: Run) -> None:
    """See to it that the table of a run has a column.

    Raises:
        ValueError: If it has not; the message names the columns there are.
    """
    if column not in table:
        raise ValueError(
            f"A table of '{run.name}' has no column '{column}', only {', '.join(table)}."
        )


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
    """What every group contributes to a mean: the mean of the contributions is that of the values.

    Groups of different sizes make the mean a ratio of two sums, of values and of sizes. The
    contributions are those of its linearisation, so that a large group does not count as an
    extreme one.

    Args:
        values: Value of every recording under its name, length N.
        groups: Group of every recording, shape (N,), or None where each is alone.

    Returns:
        Contribution of every group under the first name in it: the mean of its values where all
        groups are of one size.

    Source:
        Cochran (1977), Sampling techniques, chapter 9A, clusters of unequal size.
    """
    if groups is None:
        return values
    mean = values.mean()
    shares = mean + (values - mean).groupby(groups).sum() * len(np.unique(groups)) / len(values)
    names = values.index.to_series().groupby(groups).min()
    return shares.set_axis(names.to_numpy())
