"""Plugin `LogitAdjustment`: balance a trained classifier by shifting its logits."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from tqdm import tqdm

from autrainer_ext.atomic import atomic_folder
from autrainer_ext.criterions.class_weights import log_priors
from autrainer_ext.errors import unknown_name
from autrainer_ext.information import TrianglePoint
from autrainer_ext.plotting.triangle import (
    draw_order,
    draw_trajectory,
    draw_triangle,
    enlarge,
    triangle_page,
)
from autrainer_ext.runs import (
    Run,
    matching_runs,
    read_class_names,
    read_columns,
    read_metadata,
    read_outputs,
)
from autrainer_ext.trust import DESCRIPTIONS
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.run_columns import describe_run
from autrainer_ext_plugins.writing import save_figure, write_table

from .tables import CHOSEN_BY, balanced_gain, class_table, path_table


class LogitAdjustment(AbstractPlugin):
    """Post-hoc logit adjustment: subtract tau log(n / N), with tau chosen on dev.

    Files: `path.csv` (scores by tau), `chosen.csv` (chosen tau and its gain), `classes.csv` (recall
    and information lost per class), `runs/RUN` (path in the entropy triangle), and with `serve`
    `models/RUN`: a model directory with shifted logits for `inference`.

    The defaults of the settings are in `conf/plugin/LogitAdjustment.yaml`.

    Args:
        runs: Pattern of the names of the runs, with wildcards.
        taus: Strengths; 0 is the trained model and is always included.
        choose_by: Score on dev that is largest at the chosen tau: "balanced_accuracy", "accuracy"
            or "ema". Of equal scores, the smallest tau is chosen.
        miller_madow: Whether to correct information measures for few recordings.
        serve: Whether to write model directories.

    Raises:
        ValueError: If a setting has a wrong value.
    """

    folder = "logit_adjustment"
    tasks = ("classification",)

    def __init__(
        self, *, runs: str, taus: Sequence[float], choose_by: str, miller_madow: bool, serve: bool
    ) -> None:
        if choose_by not in CHOSEN_BY:
            raise unknown_name("score", choose_by, CHOSEN_BY)
        if not all(isinstance(tau, (int, float)) and 0 <= tau < np.inf for tau in taus):
            raise ValueError(f"Argument 'taus' must hold numbers from 0 on, got {list(taus)}.")
        self.runs = runs
        self.taus = sorted({0.0, *(float(tau) for tau in taus)})
        self.choose_by = choose_by
        self.miller_madow = miller_madow
        self.serve = serve

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Sweep tau for every run, choose it on dev and report it on test.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If no run matches the pattern, outputs are missing, or a class has no
                training recording.
        """
        chosen_runs = matching_runs(runs, self.runs)
        paths, chosen, classes = [], [], []
        for run in tqdm(chosen_runs, desc="Runs", unit="run", leave=False):
            counts = _class_counts(run)
            outputs = {split: read_outputs(run, split) for split in ("dev", "test")}
            described = {"run": run.name, **describe_run(run)}
            path = {
                split: path_table(each, counts, self.taus, miller_madow=self.miller_madow)
                for split, each in outputs.items()
            }
            tau = self.taus[int(path["dev"][self.choose_by].to_numpy().argmax())]
            row: dict[str, object] = {**described, "tau": tau}
            for split, each in outputs.items():
                paths.append(path[split].assign(**described, split=split))
                classes.append(class_table(each, counts, tau).assign(**described, split=split))
                gain = balanced_gain(each, counts, tau)
                row |= dict(
                    zip((f"{split}_gain{end}" for end in ("", "_low", "_high")), gain, strict=True)
                )
                for name, strength in (("", 0.0), ("_adjusted", tau)):
                    scores = path[split].set_index("tau").loc[strength]
                    for score in ("balanced_accuracy", "calibration_error"):
                        row[f"{split}_{score}{name}"] = scores[score]
            chosen.append(row)
            with self.style.applied():
                save_figure(_draw_path(path, tau, run), folder / "runs" / run.name)
            if self.serve:
                _write_model(run, tau * log_priors(counts), folder / "models" / run.name)
        first = ["run", *describe_run(chosen_runs[0])]
        for name, tables in (("path", paths), ("classes", classes)):
            table = pd.concat(tables)
            columns = [*first, "split"]
            write_table(table[[*columns, *table.columns.drop(columns)]], folder / f"{name}.csv")
        write_table(pd.DataFrame(chosen), folder / "chosen.csv")


def _class_counts(run: Run) -> np.ndarray:
    """Number of training recordings per class, in the order of the outputs."""
    labels = read_metadata(run, "train")[read_columns(run).target].astype(str)
    names = read_class_names(run.path)
    counts = labels.value_counts().reindex(names, fill_value=0)
    if not counts.all():
        raise ValueError(
            f"Run '{run.name}': class '{counts.idxmin()}' has no training recording, so that its "
            "prior is 0."
        )
    return counts.to_numpy()


def _draw_path(path: dict[str, pd.DataFrame], tau: float, run: Run) -> Figure:
    """Draw the predictions by tau in the entropy triangle, dev and test."""
    shades = Normalize(0, max(path["dev"]["tau"].max(), 1e-9))
    line = rcParams["font.size"] / 72
    title = f"{run.name}: predicted labels by tau, the largest is larger; chosen on dev: {tau:g}"
    figure, panels = triangle_page(len(path), title=title, below=3.5 * line)
    points = {
        split: TrianglePoint(
            *(table[name].to_numpy() for name in ("divergence", "mutual_information", "variation"))
        )
        for split, table in path.items()
    }
    for axes, (split, point) in zip(panels, points.items(), strict=True):
        draw_triangle(axes, split)
        draw_trajectory(axes, {"pred": point}, path[split]["tau"].to_numpy(), shades)
        enlarge(axes, list(points.values()))
    draw_order(figure, shades, "tau", bottom=0)
    return figure


def _write_model(run: Run, shift: np.ndarray, directory: Path) -> None:
    """Write a copy of the run's model directory whose logits are shifted."""
    from autrainer_ext.models import ShiftedLogits
    from autrainer_ext.runs.load import load_model
    from autrainer_ext.serving.model_directory import save_tensors

    model = ShiftedLogits(load_model(run.path), shift.tolist())
    if directory.exists():
        shutil.rmtree(directory)  # of an earlier call
    with atomic_folder(directory) as folder:
        for name in DESCRIPTIONS:
            if name != "model.yaml" and (run.path / name).is_file():
                shutil.copy(run.path / name, folder)
        model.to_yaml(str(folder / "model.yaml"))
        (folder / "_best").mkdir()
        save_tensors(model.state_dict(), folder / "_best" / "model.pt")
