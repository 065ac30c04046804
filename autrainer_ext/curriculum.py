"""Curriculum scoring from saved outputs, for aucurriculum.

Only configurations of aucurriculum may refer to this module: it imports aucurriculum, which
changes how runs are named in the whole process.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from aucurriculum.curricula.scoring import AbstractScore
from omegaconf import DictConfig

from autrainer_ext.atomic import atomic_file
from autrainer_ext.difficulty import order_drawn, pool_runs, rank_difficulty
from autrainer_ext.difficulty.from_runs import MeasuredRun, check_same_samples, measure_saved
from autrainer_ext.difficulty.provenance import select_runs, trace_scores
from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import read_run


class EnsembleCumulativeAccuracy(AbstractScore):
    """Share of the checkpoints of an ensemble of runs that classify a sample correctly.

    This is the host's `CumulativeAccuracy`, computed from the outputs that the callback
    `autrainer_ext.callbacks.CleanOutputs` saves at every evaluation. Neither models nor data are
    needed, and training samples are scored without augmentation. Scores are always computed
    anew, which takes about a second; scores of earlier calls are not reused.

    The `id` of the shipped configuration ends with a hash of the runs, their checkpoints and the
    settings (see `autrainer_ext.difficulty.provenance`). A training with the same `run_name` finds
    these scores and no others. A YAML file of the name of the scores lists what they were computed
    from.

    Args:
        output_directory: Folder of the scores.
        results_dir: Results folder of the host.
        experiment_id: Experiment of the runs.
        run_name: Name or names of runs, single or aggregated, or patterns of names with wildcards
            (`ToyScenes-*`) for finished runs; all on the same samples.
        stop: Last checkpoint to use: "best" (the best on dev) or "last".
        subset: Split to score: "train", "dev" or "test".
        average: "micro" pools all checkpoints, so longer runs count more; "macro" averages over
            runs.
        ties: Order of samples with equal scores: "margin" for their mean margin, "first" for
            their row, an integer for a random order with this seed.

    Raises:
        ValueError: If a setting has an invalid value. When scoring: if a run is incomplete,
            lacks outputs, has outputs that are not finite, or has different samples.

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
            raise unknown_name("stop", stop, ("best", "last"))
        if average not in ("micro", "macro"):
            raise unknown_name("average", average, ("micro", "macro"))
        if ties not in ("margin", "first") and not isinstance(ties, int):
            raise ValueError(
                f"Argument 'ties' must be 'margin', 'first' or an integer, got '{ties}'."
            )
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
        self._patterns = [run_name] if isinstance(run_name, str) else list(run_name)
        self._measured: dict[str, MeasuredRun] = {}

    def preprocess(self) -> tuple[list[DictConfig], list[str]]:
        """Measure the runs and delete their scores of earlier calls.

        The host would otherwise reuse existing files, whatever the settings.

        Returns:
            Configurations of the runs to score, and their names with the stop.
        """
        runs = select_runs(self.results_dir, self.experiment_id, self._patterns)
        self._provenance = trace_scores(
            runs, self.subset, self.stop, {"average": self.average, "ties": self.ties}
        )
        self.run_name = [run.name for run in runs]
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
        """Save the number of correct and of all checkpoints per sample of a run.

        Args:
            config: Configuration of the scoring.
            run_config: Configuration of the run.
            run_name: Name of the run with its stop.
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
            runs: Names of the runs with their stops.
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
        with atomic_file(Path(self.output_directory, f"{score_id}.yaml")) as path:
            path.write_text(yaml.safe_dump(asdict(self._provenance), sort_keys=False))
        with atomic_file(Path(self.output_directory, f"{score_id}.csv")) as path:
            table.to_csv(path, index=False)

    def _table(self, measured: MeasuredRun, **columns: np.ndarray | int) -> pd.DataFrame:
        """Table of the split with further columns, in the layout of the host."""
        return measured.samples.reset_index().assign(
            **columns,
            encoded=measured.targets,
            decoded=[measured.class_names[target] for target in measured.targets],
        )
