"""Plugin `EntropyTriangle`: where the classifiers of an experiment lie in the entropy triangle."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.configurations import sources
from autrainer_ext.information import confusion_counts
from autrainer_ext.runs import (
    SPLITS,
    Run,
    RunOutputs,
    best_iteration,
    iterations_with,
    read_metadata,
    read_outputs,
    split_name,
)
from autrainer_ext_plugins.plugin import AbstractPlugin

from .report import write_triangle
from .tables import ConfusionMatrix, IntervalSettings


class EntropyTriangle(AbstractPlugin):
    """Triangle coordinates of every run, split, iteration and stratum, with intervals.

    Writes `coordinates.csv`, `summary.csv` (means over seeds at the last iteration) and figures:
    `runs/RUN` the trajectory of a run, `criteria_SPLIT` all criteria, `strata/` their strata.

    Rows of split "test" at iteration k belong to the weights after iteration k. They are there
    for every iteration if the callback `CleanOutputs` saved them; the host itself saves those of
    the best iteration on dev, which stand at that iteration. Strata are the values of the columns
    that `stratify` of the data set names. They need the tables that `CleanOutputs` saves in the
    run; with `rebuild` they are taken from the data set itself, which imports the host's training
    code and needs the data.

    Args:
        splits: Splits to show, of "train", "dev", "test" and "train_online"; splits that a run
            did not save are left out. "train_online" are the outputs recorded during training,
            with augmentation and while the weights changed.
        start: First iteration to show.
        every: Show iterations that are a multiple of this, and the last one.
        method: Intervals: "basic", "percentile" or "bca".
        confidence: Share of intervals that should hold the true value.
        n_resamples: Resamples of every confusion table; 0 for no intervals.
        seed: Seed of the resamples.
        rebuild: Whether to build the data sets of runs that saved no tables.
        figures: Whether to draw figures, which takes about a second for each.

    Raises:
        ValueError: If a setting is out of range.
    """

    folder = "entropy_triangle"

    def __init__(
        self,
        splits: Sequence[str] = ("train", "dev", "test"),
        start: int = 1,
        every: int = 1,
        method: str = "basic",
        confidence: float = 0.95,
        n_resamples: int = 500,
        seed: int = 0,
        rebuild: bool = False,
        figures: bool = True,
    ) -> None:
        if isinstance(splits, str) or not splits:
            raise ValueError(f"splits must be a list of splits, got '{splits}'.")
        splits = [split_name(split) for split in splits]
        for name, value in (("start", start), ("every", every)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1 on, got {value}.")
        self.splits = [split for split in SPLITS if split in splits]
        self.start = start
        self.every = every
        self.settings = IntervalSettings(method, confidence, n_resamples, seed)
        self.rebuild = rebuild
        self.figures = figures

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Write the tables and figures.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If a run has none of the outputs, or some cannot be read.
        """
        without = [] if self.rebuild else [run.name for run in runs if _lacks_tables(run)]
        if without:
            others = f" and {len(without) - 1} more" if len(without) > 1 else ""
            print(
                f"'{without[0]}'{others} saved no tables of their splits: no strata (train with "
                "the callback autrainer_ext.callbacks.CleanOutputs, or set rebuild=true).",
                file=sys.stderr,
            )
        confusions: list[ConfusionMatrix] = []
        for run in tqdm(runs, desc="Runs", unit="run", leave=False):
            found = list(self._confusions(run))
            if not found:
                raise ValueError(f"'{run.name}' has no outputs of {', '.join(self.splits)}.")
            confusions += found
        write_triangle(confusions, self.settings, folder, figures=self.figures)

    def _confusions(self, run: Run) -> Iterator[ConfusionMatrix]:
        criterion = criterion_name(run)
        for split in self.splits:
            strata: dict[str, pd.Series] | None = None
            for iteration, outputs in self._outputs(run, split):
                if strata is None:
                    strata = self._strata(run, split)
                for column, stratum, chosen in _groups(run, strata, outputs):
                    yield ConfusionMatrix(
                        counts=_count(outputs, chosen),
                        run=run.name,
                        family=run.family,
                        criterion=criterion,
                        seed=run.seed,
                        split=split,
                        iteration=iteration,
                        stratum_column=column,
                        stratum=stratum,
                    )

    def _outputs(self, run: Run, split: str) -> Iterator[tuple[int, RunOutputs]]:
        """Outputs of the iterations to show, in ascending order."""
        saved = iterations_with(run, split)
        shown = thin(saved, self.start, self.every)
        has_best = split == "test" and (run.path / "_test" / "test_outputs.npy").is_file()
        best = best_iteration(run) if has_best else None
        for iteration in sorted({*shown, *([best] if best and best not in saved else [])}):
            yield iteration, read_outputs(run, split, iteration if iteration in saved else None)

    def _strata(self, run: Run, split: str) -> dict[str, pd.Series]:
        """Values of every stratify column, in the order of the split."""
        if _lacks_tables(run) and not self.rebuild:
            return {}
        columns = run.config["dataset"].get("stratify") or []
        table = read_metadata(run, "train" if split == "train_online" else split) if columns else {}
        return {column: table[column] for column in columns if column in table}


def thin(iterations: Sequence[int], start: int, every: int) -> list[int]:
    """Iterations from `start` on that are a multiple of `every`, and the last one."""
    last = max(iterations, default=0)
    return [i for i in iterations if i == last or (i >= start and i % every == 0)]


def criterion_name(run: Run) -> str:
    """Name of the criterion a run was trained with.

    Args:
        run: The run.

    Returns:
        The configuration's name where the id of the data set ends with it ("FSDD-Focal"), else
        the class with its arguments ("FocalLoss(gamma=2.0)").
    """
    dataset = run.config.get("dataset", {})
    known = {name for source in sources() for name in source.names("criterion")}
    carried = [name for name in known if str(dataset.get("id", "")).endswith(f"-{name}")]
    if carried:
        return max(carried, key=len)
    criterion = dataset.get("criterion", "unknown")
    if not isinstance(criterion, dict):
        return str(criterion).rpartition(".")[2]
    arguments = {**criterion}
    path = arguments.pop("_target_", None)
    if path is None:  # the host's shorthand, the path mapped to its arguments
        ((path, arguments),) = criterion.items()
    name = str(path).rpartition(".")[2]
    text = ", ".join(f"{key}={value}" for key, value in (arguments or {}).items())
    return f"{name}({text})" if text else name


def _lacks_tables(run: Run) -> bool:
    return bool(run.config["dataset"].get("stratify")) and not (run.path / "_metadata").is_dir()


def _groups(
    run: Run, strata: dict[str, pd.Series], outputs: RunOutputs
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Column, value and samples of every stratum, all samples first."""
    yield "all", "all", np.ones(len(outputs.targets), dtype=bool)
    for column, values in strata.items():
        if len(outputs.indices) and outputs.indices.max() >= len(values):
            raise ValueError(f"'{run.name}': its tables have fewer rows than its outputs.")
        own = values.to_numpy()[outputs.indices]
        for value in sorted(pd.unique(own[pd.notna(own)]), key=str):
            yield column, str(value), own == value


def _count(outputs: RunOutputs, chosen: np.ndarray) -> np.ndarray:
    predicted = outputs.outputs[chosen].argmax(axis=1)
    return confusion_counts(outputs.targets[chosen], predicted, len(outputs.class_names))
