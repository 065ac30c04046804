"""Curriculum scoring from saved outputs, for aucurriculum.

Importing this module imports aucurriculum, which renames the runs of the whole process: it is
for configurations of aucurriculum only.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from aucurriculum.curricula.scoring import AbstractScore
from omegaconf import DictConfig

from autrainer_ext.atomic import atomic_file
from autrainer_ext.difficulty import order_drawn, pool_runs, rank_difficulty
from autrainer_ext.difficulty.from_runs import MeasuredRun, check_same_samples, measure_saved
from autrainer_ext.runs import read_run


class EnsembleCumulativeAccuracy(AbstractScore):
    """Share of checkpoints of an ensemble of runs that classify a sample rightly.

    As the host's `CumulativeAccuracy`, from the outputs that the callback
    `autrainer_ext.callbacks.CleanOutputs` saved at every evaluation: networks and data are not
    needed, and training samples are seen as they are, without augmentation. Nothing is taken
    from earlier scores: everything is computed again, in a second.

    Args:
        output_directory: Folder of the scores.
        results_dir: Folder of results.
        experiment_id: Experiment of the runs.
        run_name: Run or runs, single or aggregated, all over the same samples.
        stop: "best" for the checkpoints up to the best one on dev, "last" for all.
        subset: Split to score: "train", "dev" or "test".
        average: "micro" pools checkpoints, so that longer runs weigh more; "macro" averages over
            runs.
        ties: Order of samples with equal scores: "margin" by their mean margin, "first" by their
            row, a number for a draw with this seed.

    Raises:
        ValueError: If a setting has no such value. When scoring: if a run was cut off, lacks
            outputs, has outputs that are not finite, or has other samples than the rest.

    Source:
        Jiang et al. (2021), section 4. arXiv 2002.03206.
    """

    def __init__(
        self,
        output_directory: str,
        results_dir: str,
        experiment_id: str,
        run_name: str | list[str],
        stop: str = "best",
        subset: str = "train",
        average: str = "micro",
        ties: str | int = "margin",
    ) -> None:
        if stop not in ("best", "last"):
            raise ValueError(f"stop must be 'best' or 'last', got '{stop}'.")
        if average not in ("micro", "macro"):
            raise ValueError(f"average must be 'micro' or 'macro', got '{average}'.")
        if ties not in ("margin", "first") and not isinstance(ties, int):
            raise ValueError(f"ties must be 'margin', 'first' or a number, got '{ties}'.")
        super().__init__(
            output_directory=output_directory,
            results_dir=results_dir,
            experiment_id=experiment_id,
            run_name=run_name,
            stop=stop,
            subset=subset,
            reverse_score=True,
        )
        self.average = average
        self.ties = ties
        self._measured: dict[str, MeasuredRun] = {}

    def preprocess(self) -> tuple[list[DictConfig], list[str]]:
        """Measure the runs, then remove what earlier scorings said of them.

        The host takes files that exist for current ones, whatever the settings.

        Returns:
            Configurations and names of the runs to score.
        """
        configs, names = super().preprocess()
        training = Path(self.results_dir, self.experiment_id, "training")
        self._measured = {
            name: measure_saved(
                read_run(training / self.split_run_name(name)[0]), self.subset, stop=self.stop
            )
            for name in names
        }
        check_same_samples(list(self._measured.values()))
        for name in names:
            for file in ("scores.csv", "score.yaml", "config.yaml"):
                Path(self.output_directory, name, file).unlink(missing_ok=True)
        return configs, names

    def run(self, config: DictConfig, run_config: DictConfig, run_name: str) -> None:
        """Save sums and counts of a run.

        Args:
            config: Configuration of the scoring.
            run_config: Configuration of the run.
            run_name: Name of the run and its stop.
        """
        difficulty = self._measured[run_name].difficulty
        table = self._table(
            self._measured[run_name], sum=difficulty.hits, count=difficulty.n_checkpoints
        )
        self.save_scores(table, str(Path(self.output_directory, run_name)))

    def postprocess(self, score_id: str, runs: list[str]) -> None:
        """Pool the runs and rank the samples, easiest first.

        Args:
            score_id: Name of the scores.
            runs: Names of the runs and their stops.
        """
        measured = [self._measured[name] for name in runs]
        pooled = pool_runs([each.difficulty for each in measured], average=self.average)
        easiness = pooled.cumulative_accuracy
        tie_break = pooled.margin if self.ties == "margin" else None
        ranks = rank_difficulty(easiness, tie_break=tie_break)
        order = np.argsort(ranks.rank, kind="stable")
        if isinstance(self.ties, int):
            order = order_drawn(ranks, seed=self.ties)
        table = self._table(
            measured[0],
            sum=pooled.hits,
            count=pooled.count,
            mean=easiness,
            margin=pooled.margin,
            tie_size=rank_difficulty(easiness).tie_size,
            ranks=np.argsort(order) / max(len(order) - 1, 1),
        )
        with atomic_file(Path(self.output_directory, f"{score_id}.csv")) as path:
            table.to_csv(path, index=False)

    def _table(self, measured: MeasuredRun, **columns: np.ndarray | int) -> pd.DataFrame:
        """The table of the split with further columns, as the host lays it out."""
        return measured.samples.reset_index().assign(
            **columns,
            encoded=measured.targets,
            decoded=[measured.class_names[target] for target in measured.targets],
        )
