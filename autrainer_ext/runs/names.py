"""Short names of runs."""

from collections.abc import Sequence


def run_labels(names: Sequence[str]) -> list[str]:
    """What tells runs apart: the parts of their names that are not the same for all.

    Args:
        names: Names of runs, parts separated by underscores. What all values of a part begin
            with, up to a hyphen, is left out too.

    Returns:
        One label each, its parts separated by commas; the whole name where the names have
        different numbers of parts, or nothing in which they differ.
    """
    parts = [name.split("_") for name in names]
    if len({len(p) for p in parts}) != 1 or len(set(names)) == 1:
        return list(names)
    differing = [values for values in zip(*parts, strict=True) if len(set(values)) > 1]
    return [", ".join(values) for values in zip(*map(_tails, differing), strict=True)]


def _tails(values: Sequence[str]) -> list[str]:
    """Values without the pieces between hyphens that all of them begin with."""
    pieces = [value.split("-") for value in values]
    shared = 0
    while len({tuple(p[: shared + 1]) for p in pieces}) == 1 < min(map(len, pieces)) - shared:
        shared += 1
    return ["-".join(p[shared:]) for p in pieces]
