"""Plugin `EntropyTriangle`: confusion matrices of saved runs in the entropy triangle."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.errors import unknown_name
from autrainer_ext.information import confusion_counts
from autrainer_ext.runs import (
    SPLITS,
    Run,
    RunOutputs,
    best_iteration,
    iterations_with,
    read_columns,
    read_metadata,
    read_outputs,
    split_name,
)
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.run_columns import describe_run

from .comparison import HELD_OUT, groups_of, shown_outputs
from .report import write_comparison, write_triangle
from .tables import (
    EVERYTHING,
    ConfusionMatrix,
    IntervalSettings,
    family_labels,
    select_iterations,
)

_CHECKPOINTS = ("best", "last")


class EntropyTriangle(AbstractPlugin):
    """Entropy triangle coordinates of each run, split, iteration and stratum, with intervals.

    Files: `coordinates.csv`, `summary.csv` (means over seeds at one iteration), `comparison.csv`
    and `comparison.txt` (differences between criteria at that iteration, on dev and test) and
    figures: `runs/RUN` (trajectory of a run), `criteria_SPLIT` (all criteria) and `strata/` (strata
    of a criterion).

    Rows of the split "test" at iteration k belong to the weights after iteration k. The callback
    `CleanOutputs` saves these outputs for all iterations; the host alone saves them for the best
    iteration on dev. The strata are the values of the columns in the setting `stratify` of the data
    set. They are read from the tables that `CleanOutputs` saves in the run. With `rebuild`, they
    are read from the data set itself, which needs the data and imports the training code of the
    host.

    The defaults of the settings are in `conf/plugin/EntropyTriangle.yaml`.

    Args:
        splits: Splits, of "train", "dev", "test" and "train_online" (outputs recorded during the
            training pass). Splits without saved outputs are left out.
        start: First iteration.
        every: Distance of iterations: multiples of this number, the last and the best iteration.
        checkpoint: "best" if summary, comparison and figures show the best iteration on dev, which
            the host tests, "last" for the last iteration. Without saved outputs of the best
            iteration, the last saved one before it stands for it.
        intervals: Iterations with intervals over samples: "shown" (those of the summary), "all" or
            "none". An interval takes 6 ms for 2 classes, 15 ms for 10 and 100 ms for 35.
        confidence: Confidence level of the intervals, in (0, 1).
        n_draws: Number of posterior draws per interval.
        seed: Seed of the draws.
        groups: Groups of runs to compare: names of groups with patterns of names of runs, such as
            `{"balanced": ["*Weighted*", "*LDAM*"]}`. None compares all runs that differ in more
            than the seed.
        rebuild: Whether to build the data sets of runs without saved tables.
        figures: Whether to draw figures, which takes about a second per figure.

    Raises:
        ValueError: If a setting is out of range.
    """

    folder: ClassVar[str] = "entropy_triangle"
    tasks: ClassVar[tuple[str, ...] | None] = ("classification",)

    def __init__(
        self,
        *,
        splits: Sequence[str],
        start: int,
        every: int,
        checkpoint: str,
        intervals: str,
        confidence: float,
        n_draws: int,
        seed: int,
        groups: Mapping[str, str | Sequence[str]] | None,
        rebuild: bool,
        figures: bool,
    ) -> None:
        if isinstance(splits, str) or not splits:
            raise ValueError(f"Argument 'splits' must be a list of splits, got '{splits}'.")
        splits = [split_name(split) for split in splits]
        for name, value in (("start", start), ("every", every)):
            least = 0 if name == "start" else 1
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"Argument '{name}' must be a whole number from {least} on, got {value}."
                )
        if checkpoint not in _CHECKPOINTS:
            raise unknown_name("checkpoint", checkpoint, _CHECKPOINTS)
        self.checkpoint = checkpoint
        self.splits = [split for split in SPLITS if split in splits]
        self.start = start
        self.every = every
        self.settings = IntervalSettings(intervals, confidence, n_draws, seed)
        if groups is not None and not isinstance(groups, Mapping):
            raise ValueError(f"groups must map names to patterns of runs, got {groups!r}.")
        self.groups = groups
        self.rebuild = rebuild
        self.figures = figures

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Write the tables and figures.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If a run has no outputs of the splits, a file cannot be read, or a group of
                the setting `groups` has no run.
        """
        for group in self.groups or ():
            if not any(group in groups_of(run, "", self.groups) for run in runs):
                raise ValueError(f"Group '{group}' of the setting groups matches no run.")
        without = [] if self.rebuild else [run.name for run in runs if _lacks_tables(run)]
        if without:
            others = f" and {len(without) - 1} more" if len(without) > 1 else ""
            print(
                f"Run '{without[0]}'{others} saved no tables of their splits: strata are left out "
                "(train with the callback autrainer_ext.callbacks.CleanOutputs, or set "
                "rebuild=true).",
                file=sys.stderr,
            )
        confusions: list[ConfusionMatrix] = []
        for run in tqdm(runs, desc="Runs", unit="run", leave=False):
            found = list(self._confusions(run))
            if not found:
                raise ValueError(f"Run '{run.name}' has no outputs of {', '.join(self.splits)}.")
            confusions += found
        with self.style.applied():
            table = write_triangle(
                confusions,
                self.settings,
                folder,
                checkpoint=self.checkpoint,
                figures=self.figures,
            )
        self._compare(runs, family_labels(table), folder)

    def _compare(self, runs: Sequence[Run], labels: Mapping[str, str], folder: Path) -> None:
        """Write the comparison of groups of runs, if there are at least two."""
        members = [
            (g, run) for run in runs for g in groups_of(run, labels[run.family], self.groups)
        ]
        if len({group for group, _ in members}) < 2:
            return
        found = []
        for split in (split for split in self.splits if split in HELD_OUT):
            for group, run in members:
                shown = [
                    saved
                    for _, is_best, saved in self._iterations(run, split)
                    if is_best or self.checkpoint == "last"
                ]
                if shown:
                    outputs = read_outputs(run, split, shown[-1])
                    found.append(shown_outputs(group, run, split, outputs))
        write_comparison(found, self.settings, folder)

    def _confusions(self, run: Run) -> Iterator[ConfusionMatrix]:
        described = describe_run(run)
        for split in self.splits:
            strata: dict[str, pd.Series] | None = None
            for iteration, is_best, saved in self._iterations(run, split):
                outputs = read_outputs(run, split, saved)
                if strata is None:
                    strata = self._strata(run, split)
                for column, stratum, chosen in _groups(run, strata, outputs):
                    yield ConfusionMatrix(
                        counts=_count(outputs, chosen),
                        run=run.name,
                        family=run.family,
                        **described,
                        is_best=is_best,
                        split=split,
                        iteration=iteration,
                        stratum_column=column,
                        stratum=stratum,
                    )

    def _iterations(self, run: Run, split: str) -> list[tuple[int, bool, int | None]]:
        """Selected iterations in ascending order, whether each is the best, and how it was saved.

        The last is the iteration of its outputs, None if only those of the best one were saved.
        """
        saved = iterations_with(run, split)
        best = best_iteration(run)
        has_best = split == "test" and (run.path / "_test" / "test_outputs.npy").is_file()
        available = sorted({*saved, *([best] if has_best else [])})
        if not available:
            return []
        shown_as_best = max([i for i in available if i <= best], default=available[-1])
        shown = {*select_iterations(saved, self.start, self.every), shown_as_best}
        return [(i, i == shown_as_best, i if i in saved else None) for i in sorted(shown)]

    def _strata(self, run: Run, split: str) -> dict[str, pd.Series]:
        """Values of each `stratify` column, in the order of the split."""
        if not self.rebuild and not (run.path / "_metadata").is_dir():
            return {}
        columns = read_columns(run).stratify
        if not columns:
            return {}
        table = read_metadata(run, "train" if split == "train_online" else split)
        return {column: table[column] for column in columns if column in table}


def _lacks_tables(run: Run) -> bool:
    """Whether the data set has strata but the run saved no tables to read them from."""
    return bool(run.config["dataset"].get("stratify")) and not (run.path / "_metadata").is_dir()


def _groups(
    run: Run, strata: dict[str, pd.Series], outputs: RunOutputs
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Column, value and samples of each stratum, preceded by all samples."""
    yield EVERYTHING, EVERYTHING, np.ones(len(outputs.targets), dtype=bool)
    for column, values in strata.items():
        if len(outputs.indices) and outputs.indices.max() >= len(values):
            raise ValueError(f"Run '{run.name}': its tables have fewer rows than its outputs.")
        own = values.to_numpy()[outputs.indices]
        for value in sorted(pd.unique(own[pd.notna(own)]), key=str):
            yield column, str(value), own == value


def _count(outputs: RunOutputs, chosen: np.ndarray) -> np.ndarray:
    predicted = outputs.outputs[chosen].argmax(axis=1)
    return confusion_counts(outputs.targets[chosen], predicted, len(outputs.class_names))
