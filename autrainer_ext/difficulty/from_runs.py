"""Difficulty of the samples of saved runs: run directories in, measures out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import (
    Run,
    best_iteration,
    iterations_with,
    read_class_names,
    read_metadata,
    read_outputs,
)

from .measures import RunDifficulty, measure_run

if TYPE_CHECKING:
    import pandas as pd

CLEAN_SPLITS = ("train", "dev", "test")
STOPS = ("best", "last")


@dataclass(frozen=True)
class MeasuredRun:
    """A run and how it fared on the N samples of a split.

    Attributes:
        run: The run.
        difficulty: Its measures.
        targets: Class of every sample, shape (N,).
        class_names: Name of every class.
        samples: Table of the split, one row per sample.
    """

    run: Run
    difficulty: RunDifficulty
    targets: np.ndarray
    class_names: list[str]
    samples: "pd.DataFrame"


def measure_saved(run: Run, split: str = "train", *, stop: str = "best") -> MeasuredRun:
    """Measure how a run fared on every sample of a split, from its saved outputs alone.

    Outputs of the training and test splits at every iteration are those of the callback
    `CleanOutputs`; dev outputs are always there. Networks are not needed.

    Args:
        run: The run, trained to its end.
        split: "train", "dev" or "test".
        stop: "best" for the checkpoints up to the best one on dev, "last" for all.

    Returns:
        Measures. Where the best iteration has no saved outputs of the split, the last one
        before it takes its place.

    Raises:
        ValueError: If `split` or `stop` is unknown, the run was cut off, lacks outputs
            altogether or of an iteration among others, has outputs that are not finite, whose
            targets change or that leave out a sample, or if its table does not fit them; the
            message names the run.
    """
    if split not in CLEAN_SPLITS:
        raise unknown_name("split", split, CLEAN_SPLITS)
    if stop not in STOPS:
        raise ValueError(f"stop must be 'best' or 'last', got '{stop}'.")
    iterations, best = _iterations(run, split, stop)
    targets = read_outputs(run, split, iterations[0]).targets
    try:
        difficulty = measure_run(_outputs(run, split, iterations, targets), targets, best=best)
    except ValueError as error:
        raise ValueError(f"'{run.name}' ({split}): {error}") from error
    class_names = read_class_names(run.path)
    samples = read_metadata(run, split).reset_index(drop=True)
    labels = samples[run.config["dataset"]["target_column"]].astype(str).tolist()
    if labels != [class_names[target] for target in targets]:
        raise ValueError(f"'{run.name}': the table of its {split} split does not fit its outputs.")
    return MeasuredRun(run, difficulty, targets, class_names, samples)


def check_same_samples(measured: Sequence[MeasuredRun]) -> None:
    """See to it that runs can be pooled.

    Args:
        measured: Runs measured on the same split.

    Raises:
        ValueError: If the samples, their columns or the classes of two runs differ; the message
            names both runs.
    """
    first, *others = measured
    for other in others:
        if not (
            other.class_names == first.class_names
            and np.array_equal(other.targets, first.targets)
            and other.samples.equals(first.samples)
        ):
            raise ValueError(
                f"'{first.run.name}' and '{other.run.name}' have different samples: only runs "
                "over the same split can be pooled."
            )


def _iterations(run: Run, split: str, stop: str) -> tuple[list[int], int]:
    """Iterations up to the stop, and the best of them."""
    if not run.is_complete:
        raise ValueError(f"'{run.name}' was cut off: it has no metrics.csv.")
    saved = iterations_with(run, split)
    if not saved:
        raise ValueError(
            f"'{run.name}' saved no clean outputs of its {split} split: train with the callback "
            "autrainer_ext.callbacks.CleanOutputs (dev: with save_dev_outputs)."
        )
    _check_complete(run, split, saved)
    best = best_iteration(run)
    until_best = [iteration for iteration in saved if iteration <= best]
    if not until_best:
        raise ValueError(f"'{run.name}' saved no {split} outputs up to its best iteration, {best}.")
    return (until_best if stop == "best" else saved), until_best[-1]


def _check_complete(run: Run, split: str, saved: list[int]) -> None:
    """Outputs are saved at the multiples of a number, and perhaps at the last iteration."""
    last = run.config["iterations"]
    spaced = [iteration for iteration in saved if iteration != last] or saved
    expected = range(math.gcd(*spaced), last + 1, math.gcd(*spaced))
    missing = sorted(set(expected) - set(saved))
    if missing:
        raise ValueError(
            f"'{run.name}' lacks {split} outputs of iteration {', '.join(map(str, missing))}."
        )


def _outputs(
    run: Run, split: str, iterations: list[int], targets: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    for iteration in iterations:
        saved = read_outputs(run, split, iteration)
        if not np.array_equal(saved.indices, np.arange(len(targets))):
            raise ValueError(f"outputs of iteration {iteration} do not hold every sample once.")
        if not np.array_equal(saved.targets, targets):
            raise ValueError(f"targets of iteration {iteration} are not those of the others.")
        yield iteration, saved.outputs
