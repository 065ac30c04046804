"""Plugin `Difficulty`: how hard every sample is, how far runs agree on it, and examples."""

from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from autrainer_ext.difficulty import EnsembleSizes, ensemble_sizes, pool_runs, rank_difficulty
from autrainer_ext.difficulty.from_runs import (
    CLEAN_SPLITS,
    STOPS,
    check_same_samples,
    measure_saved,
)
from autrainer_ext.difficulty.measures import AVERAGES
from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import Run, iterations_with
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import save_figure, write_table

from .tables import ScoredSplit, agreement_table, class_table, score_table

_ENOUGH = 0.95


class Difficulty(AbstractPlugin):
    """Sample difficulty of an ensemble: all runs of an experiment that match a pattern.

    Writes `scores.csv` (a row per sample of every split with clean outputs at every iteration),
    `classes.csv`, and of the first of these splits `agreement.csv`, `ensembles.csv`, figures and
    the gallery.

    Args:
        runs: Names of the runs to take, with wildcards; all of them share their samples.
        splits: Splits to score, those that no run has clean outputs of left out.
        stop: "best" for the checkpoints up to the best one on dev, "last" for all.
        average: "micro" pools checkpoints, "macro" averages over runs.
        tie_break: null keeps ties, "margin" breaks them by the mean margin.
        n_resamples: Bootstrap resamples for the intervals of the agreement.
        gallery: Whether to write examples; takes the data and the networks.
        examples: How many easiest, medium and hardest samples to show, per class and overall.
        layer: Layer for Grad-CAM; null takes the deepest one that still localises.
        seed: Of draws within ties, of subsets of runs and of resamples.

    Raises:
        ValueError: If a setting has no such value.
    """

    folder = "difficulty"

    def __init__(
        self,
        runs: str = "*",
        splits: Sequence[str] = ("train", "dev", "test"),
        stop: str = "best",
        average: str = "micro",
        tie_break: str | None = None,
        n_resamples: int = 1000,
        gallery: bool = True,
        examples: int = 3,
        layer: str | None = None,
        seed: int = 0,
    ) -> None:
        for name, value, allowed in (
            *(("splits", split, CLEAN_SPLITS) for split in splits),
            ("stop", stop, STOPS),
            ("average", average, AVERAGES),
            ("tie_break", tie_break, (None, "margin")),
        ):
            if value not in allowed:
                raise unknown_name(name, value, allowed)
        if examples < 1:
            raise ValueError(f"examples must be at least 1, got {examples}.")
        self.runs = runs
        self.splits = list(splits)
        self.stop = stop
        self.average = average
        self.tie_break = tie_break
        self.n_resamples = n_resamples
        self.gallery = gallery
        self.examples = examples
        self.layer = layer
        self.seed = seed

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Score samples, compare runs and choose examples.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If no run matches the pattern, none has clean outputs, one lacks them or
                has other samples than the rest; the message names the run.
        """
        chosen = sorted((r for r in runs if fnmatchcase(r.name, self.runs)), key=lambda r: r.name)
        if not chosen:
            raise ValueError(f"no run matches '{self.runs}'.")
        scored = [self._score(chosen, split) for split in self.splits if _is_saved(chosen, split)]
        if not scored:
            raise ValueError(
                f"no run, such as '{chosen[0].name}', has clean outputs at every evaluation: train "
                "with the callback autrainer_ext.callbacks.CleanOutputs."
            )
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
            seed=self.seed,
        )
        write_table(pd.DataFrame(asdict(sizes)), folder / "ensembles.csv")
        _save_figures(first, sizes, folder)
        if self.gallery:
            from .gallery import write_gallery

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

    def _score(self, runs: Sequence[Run], split: str) -> ScoredSplit:
        measured = [measure_saved(run, split, stop=self.stop) for run in runs]
        check_same_samples(measured)
        difficulty = pool_runs([each.difficulty for each in measured], average=self.average)
        tie_break = difficulty.margin if self.tie_break == "margin" else None
        ranks = rank_difficulty(difficulty.cumulative_accuracy, tie_break=tie_break)
        return ScoredSplit(split, measured, difficulty, ranks)


def _save_figures(scored: ScoredSplit, sizes: EnsembleSizes, folder: Path) -> None:
    from matplotlib import pyplot as plt

    from autrainer_ext.plotting import draw_cartography, draw_class_scores, draw_ensemble_sizes

    first, easiness = scored.measured[0], scored.difficulty.cumulative_accuracy
    n_classes = len(np.unique(first.targets))
    figure, axes = plt.subplots(figsize=(6, 1.5 + 0.28 * n_classes), layout="constrained")
    draw_class_scores(axes, easiness, first.targets, first.class_names)
    save_figure(figure, folder / "class_scores")
    figure, axes = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
    draw_cartography(axes, scored.difficulty)
    save_figure(figure, folder / "cartography")
    if len(scored.measured) > 1:
        figure, axes = plt.subplots(figsize=(5.5, 4), layout="constrained")
        draw_ensemble_sizes(axes, sizes, threshold=_ENOUGH)
        save_figure(figure, folder / "ensemble_sizes")


def _is_saved(runs: Sequence[Run], split: str) -> bool:
    return any(iterations_with(run, split) for run in runs)
