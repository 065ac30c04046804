"""Command `evaluate`: a trained model on another data set or folder of recordings."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autrainer.core.scripts import AbstractScript, CommandLineError

from .arguments import (
    add_options,
    check_free,
    check_model,
    progress_bar,
    reporting_errors,
)

if TYPE_CHECKING:
    import pandas as pd

    from autrainer_ext.evaluation.evaluation import Evaluated, OwnTest
    from autrainer_ext.evaluation.recordings import Recordings

_OWN = "own test"


@dataclass
class EvaluateArgs:
    """Arguments of the command."""

    model: str
    dataset: str | None
    audio: str | None
    targets: str | None
    classes: str | None
    strata: list[str] | None
    output: str
    checkpoint: str
    batch_size: int | None
    device: str
    quiet: bool


class EvaluateScript(AbstractScript):
    """Evaluate a trained model on other recordings."""

    def __init__(self) -> None:
        super().__init__(
            "evaluate",
            "Evaluate a trained model on another data set or folder of recordings.",
            "Writes scores with intervals, their differences from the run's own test and the\n"
            "entropy triangle of both to OUTPUT/evaluate/NAME/, and the outputs as a run to\n"
            "OUTPUT/training/NAME/, where the plugins of postprocess find them.\n"
            "Exit code: 0 all recordings used, 1 none, 3 some; errors.csv lists the others.",
            "Examples:\n"
            "  autrainer-ext evaluate RUN --dataset FSDD -o results/digits\n"
            "  autrainer-ext evaluate model --audio recordings --targets truth.csv",
            dataclass=EvaluateArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        add = self.parser.add_argument
        add("model", help="Run or model directory.")
        add("--dataset", metavar="NAME", help="Data set whose test split is predicted.")
        add("--audio", metavar="FOLDER", help="Folder of recordings; needs --targets.")
        add(
            "--targets",
            "--labels",
            metavar="FILE",
            help="CSV with the columns filename and target (true class); further columns, such as\n"
            "device, define strata.",
        )
        add(
            "--classes",
            metavar="FILE",
            help="YAML file with the model's class for names in the data (car: vehicle), or\n"
            "nothing to leave a class out (cat:).",
        )
        add(
            "--strata",
            nargs="*",
            metavar="COLUMN",
            help="Columns that define strata. Default: stratify of the data set, or all columns\n"
            "of the CSV with at most 20 values.",
        )
        add(
            "-o",
            "--output",
            default="results/evaluation",
            metavar="DIR",
            help="Folder of an experiment, RESULTS/EXPERIMENT; evaluations of several models can\n"
            "share it. Default: results/evaluation.",
        )
        add_options(self.parser, "checkpoint", "batch_size", "device", "quiet")

    def main(self, args: EvaluateArgs) -> None:
        """Run the command; exits with 3 if some recordings could not be used.

        Raises:
            CommandLineError: If nothing could be done or an argument is wrong.
        """
        if (args.dataset is None) == (args.audio is None):
            raise CommandLineError(self.parser, "Give either --dataset or --audio.")
        if (args.audio is None) != (args.targets is None):
            raise CommandLineError(self.parser, "Options --audio and --targets need each other.")
        with reporting_errors(self.parser):
            check_model(args.model, args.checkpoint)
            evaluated, folder = _evaluate(args)
        n_failed = len(evaluated.errors)
        if not args.quiet:
            n_used = len(evaluated.outputs.targets)
            print(f"{n_used} of {n_used + n_failed} recordings used; see '{folder}'")
        if n_failed:
            sys.exit(3)


def _evaluate(args: EvaluateArgs) -> tuple["Evaluated", Path]:
    """Predict, score and write; returns the folder of the tables."""
    from autrainer_ext.atomic import atomic_folder
    from autrainer_ext.evaluation.evaluation import evaluate, read_own_test, run_name, write_run

    recordings = _read_recordings(args)
    name = run_name(args.model, recordings)
    tables, run = (Path(args.output, kind, name) for kind in ("evaluate", "training"))
    for folder in (tables, run):
        check_free(folder)
    own = read_own_test(args.model)
    evaluated = evaluate(
        args.model,
        recordings,
        mapping=args.classes,
        checkpoint=args.checkpoint,
        batch_size=args.batch_size,
        device=args.device,
        progress=progress_bar("Evaluating", quiet=args.quiet),
    )
    with atomic_folder(tables) as folder, atomic_folder(run) as copy:
        write_run(copy, args.model, evaluated, own, checkpoint=args.checkpoint)
        _write_tables(folder, evaluated, own, quiet=args.quiet)
    return evaluated, tables


def _read_recordings(args: EvaluateArgs) -> "Recordings":
    from dataclasses import replace

    from autrainer_ext.evaluation.evaluation import check_strata
    from autrainer_ext.evaluation.recordings import read_data_set, read_folder

    if args.dataset is not None:
        recordings = read_data_set(args.dataset)
    else:
        assert args.audio is not None  # checked with the arguments
        assert args.targets is not None
        recordings = read_folder(args.audio, args.targets)
    if args.strata is None:
        return recordings
    check_strata(recordings, args.strata)
    return replace(recordings, strata=args.strata)


def _write_tables(
    folder: Path, evaluated: "Evaluated", own: "OwnTest | None", *, quiet: bool
) -> None:
    """Write scores, differences, the entropy triangle and unusable recordings."""
    import pandas as pd

    from autrainer_ext.evaluation.evaluation import own_strata
    from autrainer_ext.evaluation.scores import difference_table, score_table
    from autrainer_ext.serving.audio_files import write_errors
    from autrainer_ext_plugins.entropy_triangle.report import write_outputs_triangle
    from autrainer_ext_plugins.writing import write_table

    recordings = evaluated.recordings
    strata = list(recordings.strata)
    scores = score_table(recordings.name, evaluated.outputs, recordings.table[strata])
    reference = differences = None
    if own is not None:
        reference = score_table(_OWN, own.outputs, own_strata(own, strata))
        differences = difference_table(scores, reference)
        write_table(differences, folder / "differences.csv")
    write_table(pd.concat([scores, reference]), folder / "scores.csv")
    write_errors(evaluated.errors, folder)
    parts = [(recordings.name, evaluated.outputs)]
    parts += [] if own is None else [(_OWN, own.outputs)]
    write_outputs_triangle(parts, folder / "triangle")
    if not quiet:
        print("\n".join(_describe(scores, reference, differences)))


def _describe(
    scores: "pd.DataFrame", reference: "pd.DataFrame | None", differences: "pd.DataFrame | None"
) -> list[str]:
    """One line per measure, for all recordings."""
    from autrainer_ext.evaluation.scores import MEASURES

    lines = []
    for name in MEASURES:
        row = scores.iloc[0]
        text = f"{name}: {row[name]:.3f} ({row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f})"
        if reference is not None and differences is not None:
            found = differences[differences["measure"] == name].iloc[0]
            text += (
                f", own test {reference.iloc[0][name]:.3f}, difference {found['difference']:+.3f} "
                f"({found['low']:+.3f} to {found['high']:+.3f})"
            )
        lines.append(text)
    return lines
