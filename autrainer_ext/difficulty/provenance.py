"""What difficulty scores were computed from: runs, their checkpoints and the settings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from autrainer_ext.runs import Run, find_runs

from .from_runs import scored_iterations

_N_DIGITS = 8
_ARRAYS = ("outputs", "targets", "indices")


@dataclass(frozen=True)
class Provenance:
    """Inputs of difficulty scores.

    Attributes:
        settings: Settings of the scores.
        runs: Scored iterations and SHA-256 of the saved outputs of every run, by its name.
    """

    settings: dict[str, Any]
    runs: dict[str, dict[str, Any]]

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that differ between different runs, checkpoints or settings."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_N_DIGITS]


def trace_scores(
    runs: Sequence[Run], split: str, stop: str, settings: Mapping[str, Any]
) -> Provenance:
    """Hash what scores of runs depend on.

    Args:
        runs: Completed runs; their order does not matter.
        split: Split that is scored.
        stop: "best" or "last", as in `measure_saved`.
        settings: Further settings, as plain values.

    Returns:
        Provenance of the scores.

    Raises:
        ValueError: If a run is incomplete or its outputs are missing.
    """
    traced = {}
    for run in sorted(runs, key=lambda run: run.name):
        iterations, best = scored_iterations(run, split, stop)
        content = hashlib.sha256()
        for iteration in iterations:
            prefix = {"train": "traineval"}.get(split, split)
            for kind in _ARRAYS:
                path = run.iterations[iteration] / f"{prefix}_{kind}.npy"
                state = path.stat()
                content.update(_hash_file(path, state.st_size, state.st_mtime_ns))
        traced[run.name] = {
            "iterations": iterations,
            "best": best,
            "sha256": content.hexdigest(),
        }
    return Provenance({"split": split, "stop": stop, **settings}, traced)


def select_runs(
    results_dir: str | Path, experiment_id: str, names: str | Sequence[str]
) -> list[Run]:
    """Find the runs that names and patterns of names stand for.

    Args:
        results_dir: Results folder of the host.
        experiment_id: Experiment of the runs.
        names: Name or names of runs, single or aggregated, or patterns with wildcards for finished
            runs.

    Returns:
        Runs without duplicates, in the order of the names.

    Raises:
        ValueError: If a name or pattern stands for no run.
    """
    runs = {run.name: run for run in find_runs(results_dir, experiment_id)}
    selected: dict[str, Run] = {}
    for name in [names] if isinstance(names, str) else names:
        found = {key: runs[key] for key in _expand(name, runs, Path(results_dir, experiment_id))}
        if not found:
            raise ValueError(f"No finished run of '{experiment_id}' matches '{name}'.")
        selected |= found
    return list(selected.values())


def _expand(name: str, runs: Mapping[str, Run], experiment: Path) -> list[str]:
    if {"*", "?"} & set(name):
        return [key for key, run in runs.items() if run.is_complete and fnmatchcase(key, name)]
    if name in runs:
        return [name]
    for members in experiment.glob("agg_*/*/runs.yaml"):
        if members.parent.name == name:
            return [str(key) for key in yaml.safe_load(members.read_text()) if key in runs]
    raise ValueError(f"Run '{name}' of '{experiment.name}' does not exist.")


@lru_cache(maxsize=2**16)
def _hash_file(path: Path, size: int, modified: int) -> bytes:
    """Hash of a file; its size and time of modification only tell that it has changed."""
    return hashlib.sha256(path.read_bytes()).digest()
