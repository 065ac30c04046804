"""Run directories of the host, read without importing the host."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

import yaml

_SECTIONS = ("dataset", "model", "optimizer", "scheduler", "augmentation")
_ITERATION = re.compile(r"(epoch|step)_(\d+)")


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        path: Directory of the run.
        config: Configuration of the training, from `.hydra/config.yaml`. A missing setting is a
            `ValueError` that names the file and the setting.
        iterations: Evaluated iterations in ascending order, with the folder of each.
        has_ended: Whether training is known to have ended, for callbacks at its end: the host
            writes `metrics.csv` after them.
    """

    path: Path
    config: Mapping[str, Any]
    iterations: dict[int, Path]
    has_ended: bool = False

    @property
    def name(self) -> str:
        """Name of the directory, which the host uses as the name of the run."""
        return self.path.name

    @property
    def seed(self) -> str:
        """Seed of the training as text; empty if the configuration has none."""
        return str(self.config.get("seed", ""))

    @property
    def family(self) -> str:
        """Name of the run without its seed, shared by all runs that differ only in the seed."""
        return self.name.removesuffix(f"_{self.seed}")

    @property
    def is_complete(self) -> bool:
        """Whether training finished: the host writes `metrics.csv` last."""
        return self.has_ended or (self.path / "metrics.csv").is_file()


class _Settings(dict[str, Any]):
    """Settings of a file; what is missing is named with the file."""

    def __init__(self, content: Mapping[str, Any], path: Path, prefix: str) -> None:
        super().__init__(
            {
                key: _Settings(value, path, f"{prefix}{key}.") if isinstance(value, dict) else value
                for key, value in content.items()
            }
        )
        self._place = path, prefix
        for key in _SECTIONS:
            if not prefix and key in self and not isinstance(self[key], dict):
                raise ValueError(f"Setting '{key}' of '{path}' must be a mapping.")

    def __missing__(self, key: str) -> NoReturn:
        path, prefix = self._place
        raise ValueError(f"Configuration '{path}' has no setting '{prefix}{key}'.")


def read_run(path: Path | str) -> Run:
    """Read a run directory.

    Args:
        path: Directory of the run.

    Returns:
        Run; its iterations are empty if training stopped before the first evaluation.

    Raises:
        ValueError: If `path` is not a run directory or its configuration cannot be read.
    """
    path = Path(path)
    config_file = path / ".hydra" / "config.yaml"
    if not config_file.is_file():
        reason = "it has no .hydra/config.yaml" if path.is_dir() else "it does not exist"
        raise ValueError(f"'{path}' is not a run directory: {reason}.")
    try:
        content = yaml.safe_load(config_file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"Configuration '{config_file}' is not valid YAML.") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"Configuration '{config_file}' must be a mapping, got {type(content).__name__}."
        )
    config = _Settings(content, config_file, "")
    folders = ((_ITERATION.fullmatch(folder.name), folder) for folder in path.iterdir())
    iterations = {int(match[2]): folder for match, folder in folders if match}
    return Run(path, config, dict(sorted(iterations.items())))


def best_iteration(run: Run) -> int:
    """Iteration with the best result on dev; the host keeps and tests its weights.

    Args:
        run: Finished run.

    Raises:
        ValueError: If `_best/best_results.yaml` is missing or names no iteration.
    """
    path = run.path / "_best" / "best_results.yaml"
    try:
        return int(yaml.safe_load(path.read_text())["best_iteration"])
    except (OSError, KeyError, TypeError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"File '{path}' names no best iteration.") from error


def find_runs(results_dir: Path | str, experiment_id: str) -> list[Run]:
    """Find all runs of an experiment, finished or not, sorted by name.

    Args:
        results_dir: Folder of the results, `results_dir` of the configuration.
        experiment_id: Name of the experiment, `experiment_id` of the configuration.

    Returns:
        Runs, at least one.

    Raises:
        ValueError: If a folder does not exist or contains no run.
    """
    training = Path(results_dir) / experiment_id / "training"
    for folder in (training.parents[1], training.parent, training):
        if not folder.is_dir():
            raise ValueError(f"Folder '{folder}' does not exist.")
    runs = [read_run(config.parents[1]) for config in training.glob("*/.hydra/config.yaml")]
    if not runs:
        raise ValueError(f"Folder '{training}' contains no runs.")
    return sorted(runs, key=lambda run: run.name)


def matching_runs(runs: Sequence[Run], pattern: str) -> list[Run]:
    """Select runs by name.

    Args:
        runs: Runs.
        pattern: Name, with wildcards (`ToyScenes-*`).

    Returns:
        Runs in their order, at least one.

    Raises:
        ValueError: If no run matches.

    Example:
        >>> matching_runs([], "ToyScenes-*")
        Traceback (most recent call last):
        ValueError: No run matches 'ToyScenes-*'.
    """
    chosen = [run for run in runs if fnmatchcase(run.name, pattern)]
    if not chosen:
        raise ValueError(f"No run matches '{pattern}'.")
    return chosen
