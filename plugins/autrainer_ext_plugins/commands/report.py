"""Command `report`: one offline page over everything that the plugins found."""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autrainer.core.scripts import AbstractScript

from .arguments import (
    add_options,
    check_model,
    earlier_results,
    reporting_errors,
)

if TYPE_CHECKING:
    from autrainer_ext.report.source import Experiment

EXPLAINER = "grad_cam"
MASK = "topK_30"
CLIPS = 200


@dataclass
class ReportArgs:
    """Arguments of the command."""

    results: str
    experiment: str | None
    output: str
    run: str | None
    audio: str | None
    targets: str | None
    extension: str
    recursive: bool
    clips: int
    explainer: str
    mask: str
    device_column: str
    overwrite: bool
    quiet: bool


class ReportScript(AbstractScript):
    """Write one page with everything that was found about a model."""

    def __init__(self) -> None:
        super().__init__(
            "report",
            "Write one offline page about a model, with audio.",
            "Shows what the plugins wrote to RESULTS/EXPERIMENT: entropy triangle, difficulty,\n"
            "explanations, adaptation, devices and latent space, and how they are related. Open\n"
            "OUTPUT/index.html; the folder needs no network and can be zipped. For a model and a\n"
            "folder of audio, what is missing is computed: predictions, scores of explanations,\n"
            "adaptation and, with --targets, the triangle and devices.\n"
            "Exit code: 0 all recordings used, 1 nothing could be shown, 3 some recordings used.",
            "Examples:\n"
            "  autrainer-ext report model --audio recordings\n"
            "  autrainer-ext report results demo\n"
            "  autrainer-ext report results demo -o page --clips 500",
            dataclass=ReportArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        add = self.parser.add_argument
        add("results", help="Folder of the results; or a run or model directory, with --audio.")
        add("experiment", nargs="?", help="Name of the experiment; omitted for a model.")
        add(
            "-o",
            "--output",
            default="report",
            metavar="DIR",
            help="Folder to create. Default: report.",
        )
        add(
            "--run",
            metavar="R",
            help="Name or label of the run to follow. Default: the most accurate one on dev.",
        )
        add(
            "--audio",
            metavar="DIR",
            help="Folder of the recordings. Default: default/ in the folder of the data set. For\n"
            "a model: recordings to predict, explain and adapt to.",
        )
        add(
            "--targets",
            "--labels",
            metavar="FILE",
            help="For a model: CSV with the columns filename and target (true class), and\n"
            "possibly a column for the device.",
        )
        add_options(self.parser, "extension", "recursive")
        add(
            "--clips",
            type=int,
            default=CLIPS,
            metavar="N",
            help=f"Largest number of recordings with audio and pictures. Default: {CLIPS}.",
        )
        add(
            "--explainer",
            default=EXPLAINER,
            metavar="E",
            help=f"Explainer of pictures and parts. Default: {EXPLAINER}.",
        )
        add(
            "--mask",
            default=MASK,
            metavar="M",
            help=f"Mask that makes the kept and the removed part. Default: {MASK}.",
        )
        add(
            "--device-column",
            default="device",
            metavar="C",
            help="Column of the data set that holds the device. Default: device.",
        )
        add_options(self.parser, "overwrite", "quiet")

    def main(self, args: ReportArgs) -> None:
        """Run the command; exits with 3 if some recordings could not be used.

        Raises:
            CommandLineError: If an argument is wrong or nothing can be shown.
        """
        with reporting_errors(self.parser):
            self._write(args)

    def _write(self, args: ReportArgs) -> None:
        from autrainer_ext.report.page import folder_bytes, is_page_file

        output = Path(args.output)
        _check(args)
        earlier = earlier_results(output, args.overwrite, is_page_file)
        target = output.with_name(f".{output.name}-new") if earlier else output
        has_failed = False
        if args.experiment is None:
            notices, has_failed = _of_model(args, target)
        else:
            notices = _of_runs(args, target)
        if earlier:
            shutil.rmtree(output)
            target.rename(output)
        if not args.quiet:
            print("".join(f"{notice}\n" for notice in notices), end="")
            print(f"{folder_bytes(output) / 1e6:.1f} MB; open {output / 'index.html'}")
        if has_failed:
            sys.exit(3)


def _check(args: ReportArgs) -> None:
    """Check what can be checked without slow imports."""
    if args.clips < 0:
        raise ValueError(f"Option --clips must not be negative, got {args.clips}.")
    if args.experiment is not None:
        if args.targets is not None:
            raise ValueError("Option --targets is for a model directory; runs have their targets.")
        return
    if args.audio is None:
        raise ValueError(
            f"Give the name of an experiment in '{args.results}', or --audio for a model directory."
        )
    if args.run is not None:
        raise ValueError("Option --run is for experiments; a model directory is a single run.")
    check_model(args.results, "_best")
    if not Path(args.audio).is_dir():
        raise ValueError(f"Folder of recordings '{args.audio}' does not exist.")


def _of_runs(args: ReportArgs, target: Path) -> list[str]:
    """Write the page of an experiment."""
    from autrainer_ext.report.source import open_experiment

    assert args.experiment is not None  # checked by the caller
    experiment = open_experiment(
        args.results,
        args.experiment,
        told=args.run,
        device_column=args.device_column,
        audio=args.audio,
    )
    return _build(args, experiment, target, {})


def _of_model(args: ReportArgs, target: Path) -> tuple[list[str], bool]:
    """Compute what is missing for a model and a folder of recordings, and write the page.

    Returns:
        Lines about what is missing, and whether some recordings cannot be used.
    """
    from .recordings_report import Request, decide, make_experiment

    assert args.audio is not None  # checked by the caller
    request = Request(
        model=Path(args.results),
        audio=Path(args.audio),
        targets=args.targets,
        extension=args.extension,
        recursive=args.recursive,
        explainer=args.explainer,
        device_column=args.device_column,
        quiet=args.quiet,
    )
    with tempfile.TemporaryDirectory() as folder:
        experiment, errors = make_experiment(request, Path(folder))
        title = f"{request.model.resolve().name} on {request.audio.resolve().name}"
        added = {"title": title, "decision": decide(request, experiment)}
        return [*errors, *_build(args, experiment, target, added)], bool(errors)


def _build(
    args: ReportArgs, experiment: "Experiment", target: Path, added: dict[str, Any]
) -> list[str]:
    from tqdm import tqdm

    from autrainer_ext.report.build import build_report

    return build_report(
        experiment,
        target,
        n_clips=args.clips,
        explainer=args.explainer,
        mask=args.mask,
        progress=lambda rows: tqdm(rows, desc="Clips", unit="clip", disable=args.quiet),
        **added,
    )
