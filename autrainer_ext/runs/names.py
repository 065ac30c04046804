"""Short labels of runs for tables and figures, and names of folders."""

import re
from collections.abc import Sequence
from pathlib import Path


def run_labels(names: Sequence[str], *, with_seed: bool = True) -> list[str]:
    """Label each run with the parts of its name in which the runs differ.

    A name consists of parts separated by underscores, a part of pieces separated by hyphens.
    Leading pieces that all runs share are removed from a part.

    Args:
        names: Names of the runs.
        with_seed: Whether a number at the end of a name is the seed, which the label says.

    Returns:
        One label per run, parts separated by commas. The labels are the full names if the names
        have different numbers of parts or do not differ.

    Example:
        >>> run_labels(["Toy-all_Net_1", "Toy-none_Net_1"])
        ['all', 'none']
        >>> run_labels(["Toy-all_Net_1", "Toy-none_Net_2"])
        ['all, seed 1', 'none, seed 2']
    """
    parts = [name.split("_") for name in names]
    if len({len(p) for p in parts}) != 1 or len(set(names)) == 1:
        return list(names)
    *others, last = zip(*parts, strict=True)
    columns = [_tails(values) for values in others if len(set(values)) > 1]
    if len(set(last)) > 1:
        is_seed = with_seed and all(value.isdecimal() for value in last)
        columns.append([f"seed {value}" for value in last] if is_seed else _tails(last))
    return [", ".join(values) for values in zip(*columns, strict=True)]


def column_folder(folder: Path, column: str) -> Path:
    """Folder for the results of an analysis by one column.

    Results for another column than "device" have a folder of their own, so that they do not
    replace each other.

    Args:
        folder: Folder of the plugin.
        column: Column of the tables of the data set.

    Returns:
        `folder` itself for the column "device", else a folder in it, named after the column.

    Example:
        >>> column_folder(Path("devices"), "city").name
        'city'
    """
    return folder if column == "device" else folder / re.sub(r"[^\w.=+-]+", "_", column)


def _tails(values: Sequence[str]) -> list[str]:
    """Remove the leading hyphen-separated pieces that all values share."""
    pieces = [value.split("-") for value in values]
    shared = 0
    while len({tuple(p[: shared + 1]) for p in pieces}) == 1 < min(map(len, pieces)) - shared:
        shared += 1
    return ["-".join(p[shared:]) for p in pieces]
