"""Command `demo`: a tour from training to prediction on synthetic data."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from autrainer.core.scripts import AbstractScript, CommandLineError

from autrainer_ext.atomic import is_free

if TYPE_CHECKING:
    import pandas as pd

    from autrainer_ext.runs import RunOutputs

EXPERIMENT = "demo"
RECORDINGS = "recordings"
UNHEARD = "d"  # device of the test split only
CRITERIA = ("CrossEntropy", "BalancedCrossEntropy")
_RUN = "ToyScenes-{}_CPMobile-14k_Adam_0.003_32_epoch_10_None_None_1"
_SERVED = f"results/{EXPERIMENT}/training/{_RUN.format(CRITERIA[1])}"
COMMANDS = (
    ("autrainer", "fetch", "-cn", "ext_demo"),
    ("autrainer", "preprocess", "-cn", "ext_demo"),
    ("autrainer", "train", "-cn", "ext_demo"),
    ("autrainer-ext", "postprocess", "results", EXPERIMENT, "-a", "seed"),
    ("aucurriculum", "curriculum", "-cn", "ext_demo_scoring"),
    ("autrainer-ext", "inference", _SERVED, RECORDINGS, "predictions"),
    ("autrainer-ext", "report", "results", EXPERIMENT),
)
SCORES = f"results/{EXPERIMENT}/curriculum/EnsembleCumulativeAccuracy/Ensemble*.csv"
FIGURE = "confusion.png"


@dataclass
class DemoArgs:
    """Arguments of the command."""

    directory: str


class DemoScript(AbstractScript):
    """Create data, train, post-process, score difficulty and predict, one command after another."""

    def __init__(self) -> None:
        super().__init__(
            "demo",
            "Train, compare, score difficulty and predict on synthetic data, in a few minutes.",
            epilog="Example: autrainer-ext demo demo",
            dataclass=DemoArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        self.parser.add_argument(
            "directory",
            nargs="?",
            default="autrainer-ext-demo",
            help="Working folder, new or empty. Default: autrainer-ext-demo.",
        )

    def main(self, args: DemoArgs) -> None:
        """Run the command.

        Args:
            args: Parsed arguments.

        Raises:
            CommandLineError: If the folder is not empty or a command fails.
        """
        directory = Path(args.directory)
        if not is_free(directory):
            raise CommandLineError(
                self.parser,
                f"Folder '{directory}' exists and is not an empty folder: choose another.",
                code=1,
            )
        directory.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        # more threads do not speed up networks this small, and slow them down on a busy machine
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        print(f"\n$ export OMP_NUM_THREADS={environment['OMP_NUM_THREADS']}")
        for command in _commands():
            if command[1] == "inference":
                _collect_recordings(directory)
            print(f"\n$ {' '.join(command)}", flush=True)
            script = Path(sys.executable).with_name(command[0])
            status = subprocess.run(
                [script, *command[1:]], cwd=directory, env=environment
            ).returncode
            if status != 0:
                raise CommandLineError(
                    self.parser, f"Command '{' '.join(command)}' failed in '{directory}'.", code=1
                )
        print(f"\nDone in {time.monotonic() - start:.0f} s, in the folder {directory}.\n")
        print("\n".join(_report(directory)))


def _commands() -> list[tuple[str, ...]]:
    """Commands of the tour; scoring needs aucurriculum."""
    has_curricula = find_spec("aucurriculum") is not None
    return [command for command in COMMANDS if has_curricula or command[0] != "aucurriculum"]


def _collect_recordings(directory: Path) -> None:
    """Copy the first test clip of each scene and device to the folder `recordings`."""
    import pandas as pd

    table = pd.read_csv(directory / "data/ToyScenes/test.csv")
    (directory / RECORDINGS).mkdir()
    for name in table.groupby(["scene", "device"])["filename"].first():
        shutil.copy(directory / "data/ToyScenes/default" / name, directory / RECORDINGS)


def _report(directory: Path) -> Iterator[str]:
    """Lines that summarise the test results and list the most important files."""
    import pandas as pd
    from scipy.stats import binomtest

    from autrainer_ext.runs import find_runs, read_outputs

    samples = pd.read_csv(directory / "data/ToyScenes/test.csv")
    outputs = {
        run.name: read_outputs(run, "test") for run in find_runs(directory / "results", EXPERIMENT)
    }
    hits = pd.DataFrame(
        {name: run.outputs.argmax(axis=1) == run.targets for name, run in outputs.items()}
    )
    yield f"Test accuracy in % (95 % Wilson interval); device {UNHEARD} was not heard in training:"
    yield f"  {'criterion':22}{'seed':6}{'all devices':22}{'device a':22}{'device d'}"
    for name, correct in hits.items():
        cells = []
        for chosen in (samples.index, samples["device"] == "a", samples["device"] == UNHEARD):
            k, n = int(correct.loc[chosen].sum()), len(correct.loc[chosen])
            low, high = binomtest(k, n).proportion_ci(method="wilson")
            cells.append(f"{100 * k / n:.1f} ({100 * low:.1f} to {100 * high:.1f})")
        criterion = str(name).split("_")[0].removeprefix("ToyScenes-")
        row = f"  {criterion:22}{str(name).rsplit('_', 1)[1]:6}" + "".join(f"{c:22}" for c in cells)
        yield row.rstrip()
    yield f"  chance: {100 / samples['scene'].nunique():.1f}"
    yield from _conclusions(hits, samples)
    _draw(directory, outputs)
    yield "\nLook at"
    for path, what in (
        ("report/index.html", "everything on one page, with audio: open it in a browser"),
        (FIGURE, "confusion matrices without and with class weights"),
        (f"results/{EXPERIMENT}/summary/metrics.csv", "all runs in one table"),
        (f"results/{EXPERIMENT}/summary/plots", "training curves"),
        (
            f"results/{EXPERIMENT}/entropy_triangle/criteria_test.png",
            "effect of the class weights, in the entropy triangle",
        ),
        (
            next(directory.glob(SCORES)).relative_to(directory),
            "difficulty of each training clip",
        ),
        (f"{_SERVED}/_test/test_holistic.yaml", "results per device"),
        ("predictions/results.csv", f"predictions for the clips in {RECORDINGS}/"),
    ):
        if (directory / path).exists():  # difficulty only with aucurriculum
            yield f"  {directory / path}: {what}"


def _conclusions(hits: "pd.DataFrame", samples: "pd.DataFrame") -> Iterator[str]:
    """Sentences on two differences, each as the intervals over seeds and moments allow it.

    Args:
        hits: Whether a clip is recognised: a row per test clip, a column per run.
        samples: Columns moment and device of the test clips.
    """
    import numpy as np

    from autrainer_ext.intervals import crossed_mean_interval

    def by_moment(hits: "pd.DataFrame") -> "pd.DataFrame":
        """Mean accuracy of each run, a row each, at each moment: its recordings are one draw."""
        return hits.astype(float).groupby(samples["moment"]).mean().T

    is_unheard = samples["device"] == UNHEARD
    every_clip = by_moment(hits)
    plain, balanced = (
        every_clip[every_clip.index.str.startswith(f"ToyScenes-{criterion}_")].to_numpy()
        for criterion in CRITERIA
    )
    yield "\nDifferences of accuracy in points (95 % interval over seeds and recorded moments):"
    for what, difference in (
        (
            f"device {UNHEARD} minus the other devices, all runs",
            by_moment(hits[is_unheard]) - by_moment(hits[~is_unheard]),
        ),
        (f"{CRITERIA[1]} minus {CRITERIA[0]}", balanced - plain),
    ):
        values = np.asarray(difference)
        mean, (low, high) = values.mean(), crossed_mean_interval(values)
        verdict = "lower" if high < 0 else "higher" if low > 0 else "these runs cannot tell"
        yield f"  {what}: {100 * mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}), {verdict}"


def _draw(directory: Path, outputs: dict[str, "RunOutputs"]) -> None:
    """Draw the confusion matrices of both criteria, summed over seeds, frequent scenes first."""
    import pandas as pd
    from matplotlib import pyplot as plt
    from sklearn.metrics import confusion_matrix

    from autrainer_ext.plotting import draw_confusion
    from autrainer_ext.plotting.page import page_size, set_title
    from autrainer_ext.style import Style

    frequencies = pd.read_csv(directory / "data/ToyScenes/train.csv")["scene"].value_counts()
    labels = [f"{scene} ({count})" for scene, count in frequencies.items()]
    with Style().applied():
        figure, panels = plt.subplots(2, 1, figsize=page_size(share=1.15, lines=9), sharex=True)
        for axes, criterion in zip(panels, CRITERIA, strict=True):
            runs = [
                run for name, run in outputs.items() if name.startswith(f"ToyScenes-{criterion}_")
            ]
            order = [runs[0].class_names.index(scene) for scene in frequencies.index]
            counts = sum(
                confusion_matrix(run.targets, run.outputs.argmax(axis=1), labels=order)
                for run in runs
            )
            draw_confusion(axes, counts, labels).set_title(f"{criterion}, {len(runs)} seeds")
            axes.label_outer()
        n = len(runs[0].targets)
        title = f"Predictions of {n} test clips in % of each true scene (number of training clips)"
        set_title(figure, title)
        figure.savefig(directory / FIGURE)
    plt.close(figure)
