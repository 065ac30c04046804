"""Figures of entropy triangles: which there are, and how they are called."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from autrainer_ext_plugins.writing import save_figure

from .drawing import draw_run, draw_summary, split_label
from .tables import EVERYTHING, FEWEST_RUNS, family_labels

_CHECKPOINTS = {"best": "best iteration on dev", "last": "last saved iteration"}
_Job = tuple[Path, Callable[[], Figure]]


def write_figures(
    table: pd.DataFrame,
    summary: pd.DataFrame,
    folder: Path,
    *,
    confidence: float,
    quiet: bool = False,
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
        confidence: Confidence level of the intervals.
        quiet: Whether to hide the progress bar.
    """
    labels = family_labels(table)
    title = partial(_title, confidence=confidence)
    jobs = [
        *_run_jobs(table, folder),
        *_criteria_jobs(table, summary, labels, folder, title),
        *_strata_jobs(summary, labels, folder, title, _held_out(table)),
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
    table: pd.DataFrame,
    summary: pd.DataFrame,
    labels: dict[str, str],
    folder: Path,
    title: Callable[[str, pd.DataFrame], str],
) -> Iterator[_Job]:
    overall = table[table["stratum_column"] == EVERYTHING]
    for split, rows in overall.groupby("split", sort=False):
        ends = summary[(summary["split"] == split) & (summary["stratum_column"] == EVERYTHING)]
        ends = ends.assign(
            label=[_counted(labels[f], n) for f, n in ends[["family", "n_runs"]].to_numpy()]
        )
        heading = title(str(split), ends)
        draw = partial(draw_summary, ends, rows, heading[0].upper() + heading[1:])
        yield folder / _stem(f"criteria_{split}"), draw


def _held_out(table: pd.DataFrame) -> str:
    return "test" if "test" in set(table["split"]) else str(table["split"].iloc[-1])


def _strata_jobs(
    summary: pd.DataFrame,
    labels: dict[str, str],
    folder: Path,
    title: Callable[[str, pd.DataFrame], str],
    held_out: str,
) -> Iterator[_Job]:
    strata = summary[(summary["stratum_column"] != EVERYTHING) & (summary["split"] == held_out)]
    for _, ends in strata.groupby(["stratum_column", "family"], sort=False):
        column, family = ends["stratum_column"].iloc[0], ends["family"].iloc[0]
        ends = ends.assign(
            label=[f"{s} (n = {n:.0f})" for s, n in ends[["stratum", "n_samples"]].to_numpy()]
        )
        heading = f"{labels[family]} per {column}: {title(held_out, ends)}"
        stem = folder / "strata" / _stem(f"{column}_{held_out}_{labels[family]}")
        yield stem, partial(draw_summary, ends, None, heading)


def _title(split: str, ends: pd.DataFrame, confidence: float) -> str:
    """Title with the models, the split, the iteration and the kind of the intervals."""
    n_runs = ends.loc[ends["mutual_information_low"].notna(), "n_runs"]
    over = [
        name
        for name, is_over in (
            ("seeds and samples", n_runs >= FEWEST_RUNS),
            ("samples", n_runs == 1),
        )
        if is_over.any()
    ]
    models = {f"{m} on {d}" for m, d in ends[["model", "dataset"]].to_numpy().tolist() if m}
    sizes = sorted(set(ends["n_samples"].astype(int)))
    parts = (
        f"entropy triangle{f' of {models.pop()}' if len(models) == 1 else ''}",
        f"{split_label(split)} (n = {sizes[0]}{f' to {sizes[-1]}' if len(sizes) > 1 else ''})",
        _CHECKPOINTS[ends["checkpoint"].iloc[0]],
        f"{100 * confidence:g} % intervals over {' or '.join(over)}" if over else "",
        "2 seeds: no interval, both shown" if (ends["n_runs"] == 2).any() else "",
    )
    return ", ".join(part for part in parts if part)


def _counted(name: str, n_runs: int) -> str:
    return f"{name} ({n_runs} seeds)" if n_runs > 1 else name


def _stem(name: str) -> str:
    """Replace all characters that are not safe in a file name."""
    return re.sub(r"[^\w.=+-]+", "_", name).strip("_")
