"""Run directories of the host: which run it is and what it saved, without importing the host."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

_ITERATION = re.compile(r"(epoch|step)_(\d+)")


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        path: Directory of the run.
        config: Configuration it was trained with, as saved in `.hydra/config.yaml`.
        iterations: Folder of every evaluated iteration by its number, in ascending order.
    """

    path: Path
    config: dict
    iterations: dict[int, Path]

    @property
    def name(self) -> str:
        """Name of the directory, by which the host identifies the run."""
        return self.path.name

    @property
    def seed(self) -> str:
        """Seed it was trained with, as the end of its name; empty if the configuration has none."""
        return str(self.config.get("seed", ""))

    @property
    def family(self) -> str:
        """What the names of the runs that differ in the seed alone have in common."""
        return self.name.removesuffix(f"_{self.seed}")

    @property
    def is_complete(self) -> bool:
        """Whether training came to its end: the host writes `metrics.csv` last."""
        return (self.path / "metrics.csv").is_file()


def read_run(path: Path | str) -> Run:
    """Open a run directory.

    Args:
        path: Directory the host trained into.

    Returns:
        The run; its iterations are empty where no evaluation was reached.

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
        raise ValueError(f"'{config_file}' is not valid YAML.") from error
    if not isinstance(config, dict):
        raise ValueError(f"'{config_file}' holds no configuration.")
    folders = ((_ITERATION.fullmatch(folder.name), folder) for folder in path.iterdir())
    iterations = {int(match[2]): folder for match, folder in folders if match}
    return Run(path, config, dict(sorted(iterations.items())))


def best_iteration(run: Run) -> int:
    """Iteration that was best on dev, whose weights the host keeps and tests.

    Args:
        run: A run trained to its end.

    Raises:
        ValueError: If the host's record of it is missing or cannot be read.
    """
    path = run.path / "_best" / "best_results.yaml"
    try:
        return int(yaml.safe_load(path.read_text())["best_iteration"])
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"'{path}' names no best iteration.") from error


def find_runs(results_dir: Path | str, experiment_id: str) -> list[Run]:
    """All runs of an experiment, finished or not, by name.

    Args:
        results_dir: Folder of results, `results_dir` of the configuration.
        experiment_id: Name of the experiment within it.

    Returns:
        At least one run.

    Raises:
        ValueError: If a folder does not exist or holds no run.
    """
    training = Path(results_dir) / experiment_id / "training"
    for folder in (training.parents[1], training.parent, training):
        if not folder.is_dir():
            raise ValueError(f"'{folder}' does not exist or is not a folder.")
    runs = [read_run(config.parents[1]) for config in training.glob("*/.hydra/config.yaml")]
    if not runs:
        raise ValueError(f"'{training}' holds no run.")
    return sorted(runs, key=lambda run: run.name)
