"""Difficulty measures per sample from the saved outputs of runs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import yaml

from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import (
    Run,
    best_iteration,
    iterations_with,
    read_class_names,
    read_columns,
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
    """Difficulty measures of one run for the N samples of a split.

    Attributes:
        run: The run.
        difficulty: Difficulty measures of every sample.
        targets: Class index of every sample, shape (N,).
        class_names: Class names in the order of the class indices.
        samples: Metadata of the split, one row per sample.
    """

    run: Run
    difficulty: RunDifficulty
    targets: np.ndarray
    class_names: list[str]
    samples: "pd.DataFrame"


def measure_saved(run: Run, split: str = "train", *, stop: str = "best") -> MeasuredRun:
    """Difficulty measures of one run for every sample of a split, from its saved outputs.

    Train and test outputs of every iteration are saved by the callback `CleanOutputs`, dev outputs
    by the host. Model weights are not needed.

    Args:
        run: Completed run.
        split: "train", "dev" or "test".
        stop: "best" for the checkpoints up to the best one on dev, "last" for all checkpoints.

    Returns:
        Measures. If the best iteration has no saved outputs of the split, the last saved
        iteration before it is used as the best one.

    Raises:
        ValueError: If `split` or `stop` is unknown, the run is incomplete, its outputs are missing
            (all or some iterations) or not finite, do not contain every sample once, or their
            targets differ between iterations or from the metadata. The message names the run.
    """
    if split not in CLEAN_SPLITS:
        raise unknown_name("split", split, CLEAN_SPLITS)
    if stop not in STOPS:
        raise unknown_name("stop", stop, STOPS)
    iterations, best = scored_iterations(run, split, stop)
    targets = read_outputs(run, split, iterations[0]).targets
    try:
        difficulty = measure_run(_outputs(run, split, iterations, targets), targets, best=best)
    except ValueError as error:
        raise ValueError(f"Run '{run.name}' ({split}): {error}") from error
    class_names = read_class_names(run.path)
    samples = read_metadata(run, split).reset_index(drop=True)
    labels = samples[read_columns(run).target].astype(str).tolist()
    if labels != [class_names[target] for target in targets]:
        raise ValueError(
            f"Run '{run.name}': the metadata of the {split} split do not match the targets of its "
            "outputs."
        )
    return MeasuredRun(run, difficulty, targets, class_names, samples)


def check_same_samples(measured: Sequence[MeasuredRun]) -> None:
    """Check that runs were measured on the same samples, so that they can be pooled.

    Args:
        measured: Runs measured on the same split.

    Raises:
        ValueError: If the samples, their metadata or the classes of two runs differ. The message
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
                f"Runs '{first.run.name}' and '{other.run.name}' have different samples: only "
                "runs with the same split can be pooled."
            )


def scored_iterations(run: Run, split: str, stop: str) -> tuple[list[int], int]:
    """List the iterations that are scored.

    Args:
        run: Completed run.
        split: "train", "dev" or "test".
        stop: "best" for the iterations up to the best one on dev, "last" for all.

    Returns:
        Iterations in ascending order, and the best of them.

    Raises:
        ValueError: If the run is incomplete or outputs are missing.
    """
    if not run.is_complete:
        raise ValueError(f"Run '{run.name}' was cut off: it has no metrics.csv.")
    saved = iterations_with(run, split)
    if not saved:
        raise ValueError(
            f"Run '{run.name}' saved no clean outputs of its {split} split: train with the "
            "callback autrainer_ext.callbacks.CleanOutputs (dev: with save_dev_outputs)."
        )
    _check_complete(run, split, saved)
    best = best_iteration(run)
    until_best = [iteration for iteration in saved if iteration <= best]
    if not until_best:
        raise ValueError(
            f"Run '{run.name}' saved no {split} outputs up to its best iteration, {best}."
        )
    return (until_best if stop == "best" else saved), until_best[-1]


def _check_complete(run: Run, split: str, saved: list[int]) -> None:
    """Check that no iteration is missing.

    Dev outputs are saved at every evaluation, those of the other splits every k iterations, and at
    the last one. A continued run may have had another k before; there, the saved iterations only
    have to be equally spaced.
    """
    last = run.config["iterations"]
    every, first = (1, 1) if split == "dev" else _schedule(run)
    evaluations = range(
        run.config.get("eval_frequency", 1), last + 1, run.config.get("eval_frequency", 1)
    )
    expected = {i for i in evaluations if i >= first and (i % every == 0 or i == last)}
    before = [i for i in saved if i < first]
    expected |= set(range(math.gcd(*before), max(before), math.gcd(*before))) if before else set()
    missing = sorted(expected - set(saved))
    if missing:
        raise ValueError(
            f"Run '{run.name}' lacks {split} outputs of iteration {', '.join(map(str, missing))}."
        )


def _schedule(run: Run) -> tuple[int, int]:
    """Spacing of the clean outputs of a run, and the iteration from which it holds."""
    path = run.path / "_metadata" / "clean_outputs.yaml"
    if path.is_file():
        try:
            saved = yaml.safe_load(path.read_text(encoding="utf-8"))
            return int(saved["every"]), int(saved["first"])
        except (TypeError, KeyError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise ValueError(f"File '{path}' is damaged: it holds no spacing.") from error
    for callback in run.config.get("callbacks") or []:
        for name, settings in (callback if isinstance(callback, dict) else {callback: {}}).items():
            if str(name).endswith("CleanOutputs"):
                return int((settings or {}).get("every", 1)), 1
    return 1, 1


def _outputs(
    run: Run, split: str, iterations: list[int], targets: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Outputs of every iteration, checked to contain the same samples."""
    for iteration in iterations:
        saved = read_outputs(run, split, iteration)
        if not np.array_equal(saved.indices, np.arange(len(targets))):
            raise ValueError(f"Outputs of iteration {iteration} do not contain every sample once.")
        if not np.array_equal(saved.targets, targets):
            raise ValueError(f"Targets of iteration {iteration} differ from those of the first.")
        yield iteration, saved.outputs
