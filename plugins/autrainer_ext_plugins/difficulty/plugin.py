"""Plugin `Difficulty`: difficulty of each sample, agreement of runs, and examples."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from autrainer_ext.difficulty import EnsembleSizes, ensemble_sizes
from autrainer_ext.difficulty.from_runs import CLEAN_SPLITS, STOPS
from autrainer_ext.difficulty.measures import AVERAGES
from autrainer_ext.difficulty.tables import ScoredSplit, class_table, score_runs, score_table
from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import Run, iterations_with, matching_runs, read_task, split_name
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import write_table

from .agreement import agreement_table
from .by_loss import loss_table
from .figures import ENOUGH, save_figures

_ENSEMBLE_RESAMPLES = 100  # each correlates up to a thousand pairs of ensembles


class Difficulty(AbstractPlugin):
    """Sample difficulty for an ensemble: all runs of an experiment that match a pattern.

    Files: `scores.csv` (one row per sample of each split with clean outputs at every iteration) and
    `classes.csv`; for the first of these splits also `agreement.csv`, `ensembles.csv`, figures and
    the gallery. For multi-label data and regression, where a prediction is not simply right or
    wrong, there is only `scores.csv`, with the loss of each sample.

    The defaults of the settings are in `conf/plugin/Difficulty.yaml`.

    Args:
        runs: Pattern of the names of the runs, with wildcards; all must have the same samples.
        splits: Splits, of "train", "dev" and "test". Splits without clean outputs are left out.
        stop: "best" for the checkpoints up to the best one on dev, "last" for all checkpoints.
        average: "micro" pools the checkpoints of all runs, "macro" averages over runs.
        tie_break: None keeps ties, "margin" orders tied samples by their mean margin.
        n_resamples: Number of bootstrap resamples for the intervals of the agreement.
        gallery: Whether to write the gallery, which needs the data and the networks.
        examples: Number of easiest, medium and hardest samples in the gallery, per class and
            overall.
        layer: Layer for Grad-CAM; None uses the deepest layer that still localises.
        seed: Seed of draws within ties, of subsets of runs and of resamples.

    Raises:
        ValueError: If a setting has a wrong value.
    """

    folder = "difficulty"

    def __init__(
        self,
        *,
        runs: str,
        splits: Sequence[str],
        stop: str,
        average: str,
        tie_break: str | None,
        n_resamples: int,
        gallery: bool,
        examples: int,
        layer: str | None,
        seed: int,
    ) -> None:
        for name, value, allowed in (
            *(("split", split_name(split), CLEAN_SPLITS) for split in splits),
            ("stop", stop, STOPS),
            ("average", average, AVERAGES),
            ("tie_break", tie_break, (None, "margin")),
        ):
            if value not in allowed:
                raise unknown_name(name, value, allowed)
        if examples < 1:
            raise ValueError(f"Argument 'examples' must be at least 1, got {examples}.")
        self.runs = runs
        self.splits = [split_name(split) for split in splits]
        self.stop = stop
        self.average = average
        self.tie_break = tie_break
        self.n_resamples = n_resamples
        self.gallery = gallery
        self.examples = examples
        self.layer = layer
        self.seed = seed

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Score samples, compare runs and select examples.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If no run matches the pattern, a run has no clean outputs, or the runs have
                different samples; the message names the run.
        """
        chosen = sorted(matching_runs(runs, self.runs), key=lambda run: run.name)
        if any(read_task(run.path) != "classification" for run in chosen):
            self._score_by_loss(chosen, folder)
            return
        scored = [self._score(chosen, split) for split in self.splits if _is_saved(chosen, split)]
        if not scored:
            raise ValueError(_no_outputs(chosen[0]))
        first = scored[0]
        write_table(pd.concat([score_table(s) for s in scored]), folder / "scores.csv")
        classes = class_table(scored)
        write_table(classes, folder / "classes.csv")
        write_table(
            agreement_table(first, classes, n_resamples=self.n_resamples, seed=self.seed),
            folder / "agreement.csv",
        )
        sizes = ensemble_sizes(
            np.stack([each.difficulty.hits for each in first.measured]),
            [each.difficulty.n_checkpoints for each in first.measured],
            average=self.average,
            n_resamples=min(self.n_resamples, _ENSEMBLE_RESAMPLES),
            seed=self.seed,
            progress=lambda resamples: tqdm(resamples, desc="Ensembles", leave=False),
        )
        write_table(pd.DataFrame(asdict(sizes)), folder / "ensembles.csv")
        if len(chosen) > 1:
            print(_enough_runs(sizes), file=sys.stderr)
        with self.style.applied():
            save_figures(first, sizes, folder)
        if self.gallery:
            from .gallery import write_gallery

            with self.style.applied():
                write_gallery(
                    first.measured,
                    first.split,
                    first.difficulty,
                    first.ranks,
                    folder / "gallery",
                    examples=self.examples,
                    layer=self.layer,
                    seed=self.seed,
                )

    def _score_by_loss(self, runs: Sequence[Run], folder: Path) -> None:
        """Write `scores.csv` for a task without right and wrong predictions."""
        tables = [loss_table(runs, split) for split in self.splits]
        if all(table.empty for table in tables):
            raise ValueError(_no_outputs(runs[0]))
        write_table(pd.concat(tables, ignore_index=True), folder / "scores.csv")

    def _score(self, runs: Sequence[Run], split: str) -> ScoredSplit:
        return score_runs(
            runs, split, stop=self.stop, average=self.average, tie_break=self.tie_break
        )


def _enough_runs(sizes: EnsembleSizes) -> str:
    """Sentence about the number of runs that agree with the ensemble of all."""
    total, enough = int(sizes.size[-1]), sizes.reaching(ENOUGH)
    if enough is None:
        return "Ensembles: all recordings are equally difficult, there is no order to agree on."
    if enough == total:
        return f"Ensembles: no part of the {total} runs reaches a correlation of {ENOUGH} with all."
    return (
        f"Ensembles: {enough} of {total} runs reach a mean correlation of {ENOUGH} with all "
        f"({sizes.with_all[enough - 1]:.3f}; they are part of all)."
    )


def _is_saved(runs: Sequence[Run], split: str) -> bool:
    return any(iterations_with(run, split) for run in runs)


def _no_outputs(run: Run) -> str:
    return (
        f"Runs such as '{run.name}' did not save clean outputs at every evaluation: train with the "
        "callback autrainer_ext.callbacks.CleanOutputs."
    )
