"""Figures of entropy triangles: which there are, and how they are called."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from autrainer_ext_plugins.writing import save_figure

from .drawing import SPLIT_LABELS, draw_run, draw_summary
from .tables import EVERYTHING, FEWEST_RUNS, family_labels

_CHECKPOINTS = {"best": "best iteration on dev", "last": "last saved iteration"}
_Job = tuple[Path, Callable[[], Figure]]


def write_figures(
    table: pd.DataFrame, summary: pd.DataFrame, folder: Path, *, quiet: bool = False
) -> None:
    """Draw and save all figures.

    - `runs/RUN`: trajectories of a run, one triangle per split.
    - `criteria_SPLIT`: one iteration of all families of runs, with intervals; families of two runs
      have no interval, and both runs are shown.
    - `strata/COLUMN_SPLIT_FAMILY`: one iteration of the strata of a family, on test data if there
      are any, else on the last split.

    Args:
        table: Result of `coordinate_table`.
        summary: Result of `summary_table` for the same table.
        folder: Folder to write to.
        quiet: Whether to hide the progress bar.
    """
    labels = family_labels(table)
    jobs = [
        *_run_jobs(table, folder),
        *_criteria_jobs(table, summary, labels, folder),
        *_strata_jobs(table, summary, labels, folder),
    ]
    used: set[str] = set()
    for stem, draw in tqdm(jobs, desc="Figures", disable=quiet, leave=False):
        save_figure(draw(), _unused(stem, used))


def _unused(stem: Path, used: set[str]) -> Path:
    """A stem that no figure has yet, with a number behind it if need be; added to those used."""
    number, found = 1, stem
    while str(found).casefold() in used:  # some file systems do not tell capitals apart
        number += 1
        found = stem.with_name(f"{stem.name}_{number}")
    used.add(str(found).casefold())
    return found


def _run_jobs(table: pd.DataFrame, folder: Path) -> Iterator[_Job]:
    overall = table[table["stratum_column"] == EVERYTHING]
    for run, rows in overall.groupby("run", sort=False):
        yield folder / "runs" / _stem(str(run)), partial(draw_run, rows)


def _criteria_jobs(
    table: pd.DataFrame, summary: pd.DataFrame, labels: dict[str, str], folder: Path
) -> Iterator[_Job]:
    overall = table[table["stratum_column"] == EVERYTHING]
    for split, rows in overall.groupby("split", sort=False):
        ends = summary[(summary["split"] == split) & (summary["stratum_column"] == EVERYTHING)]
        ends = ends.assign(
            label=[_counted(labels[f], n) for f, n in ends[["family", "n_runs"]].to_numpy()]
        )
        draw = partial(draw_summary, ends, rows, _title(str(split), ends))
        yield folder / _stem(f"criteria_{split}"), draw


def _strata_jobs(
    table: pd.DataFrame, summary: pd.DataFrame, labels: dict[str, str], folder: Path
) -> Iterator[_Job]:
    held_out = "test" if "test" in set(table["split"]) else table["split"].iloc[-1]
    strata = summary[(summary["stratum_column"] != EVERYTHING) & (summary["split"] == held_out)]
    for _, ends in strata.groupby(["stratum_column", "family"], sort=False):
        column, family = ends["stratum_column"].iloc[0], ends["family"].iloc[0]
        ends = ends.assign(
            label=[f"{s} (n = {n:.0f})" for s, n in ends[["stratum", "n_samples"]].to_numpy()]
        )
        title = f"{labels[family]} per {column}: {_title(held_out, ends)}"
        stem = folder / "strata" / _stem(f"{column}_{held_out}_{labels[family]}")
        yield stem, partial(draw_summary, ends, None, title)


def _title(split: str, ends: pd.DataFrame) -> str:
    """Title with the split, the iteration and the kind of the intervals."""
    over = [
        name
        for name, n in (
            ("seeds and samples", ends["n_runs"] >= FEWEST_RUNS),
            ("samples", ends["n_runs"] == 1),
        )
        if n.any()
    ]
    parts = (
        SPLIT_LABELS.get(split, split),
        _CHECKPOINTS[ends["checkpoint"].iloc[0]],
        f"intervals over {' or '.join(over)}" if over else "",
        "2 seeds: no interval, both shown" if (ends["n_runs"] == 2).any() else "",
    )
    return ", ".join(part for part in parts if part)


def _counted(name: str, n_runs: int) -> str:
    return f"{name} ({n_runs} seeds)" if n_runs > 1 else name


def _stem(name: str) -> str:
    """Replace all characters that are not safe in a file name."""
    return re.sub(r"[^\w.=+-]+", "_", name).strip("_")
