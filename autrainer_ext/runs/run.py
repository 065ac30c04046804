"""Run directories of the host, read without importing the host."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_ITERATION = re.compile(r"(epoch|step)_(\d+)")


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        path: Directory of the run.
        config: Configuration of the training, from `.hydra/config.yaml`.
        iterations: Evaluated iterations in ascending order, with the folder of each.
    """

    path: Path
    config: dict[str, Any]
    iterations: dict[int, Path]

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
        return (self.path / "metrics.csv").is_file()


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
        config = yaml.safe_load(config_file.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"Configuration '{config_file}' is not valid YAML.") from error
    if not isinstance(config, dict):
        raise ValueError(
            f"Configuration '{config_file}' must be a mapping, got {type(config).__name__}."
        )
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
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
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
