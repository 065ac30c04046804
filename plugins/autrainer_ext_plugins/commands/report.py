"""Command `report`: one offline page over everything that the plugins found."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from autrainer.core.scripts import AbstractScript

from .arguments import add_options, earlier_results, reporting_errors

EXPLAINER = "grad_cam"
MASK = "topK_30"
CLIPS = 200


@dataclass
class ReportArgs:
    """Arguments of the command."""

    results: str
    experiment: str
    output: str
    run: str | None
    audio: str | None
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
            "OUTPUT/index.html; the folder needs no network and can be zipped.",
            "Examples:\n"
            "  autrainer-ext report results demo\n"
            "  autrainer-ext report results demo -o page --clips 500",
            dataclass=ReportArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        add = self.parser.add_argument
        add("results", help="Folder of the results.")
        add("experiment", help="Name of the experiment.")
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
            help="Folder of the recordings. Default: default/ in the folder of the data set.",
        )
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
        """Run the command.

        Raises:
            CommandLineError: If an argument is wrong or nothing can be shown.
        """
        with reporting_errors(self.parser):
            self._write(args)

    def _write(self, args: ReportArgs) -> None:
        from tqdm import tqdm

        from autrainer_ext.report.build import build_report
        from autrainer_ext.report.page import folder_bytes, is_page_file
        from autrainer_ext.report.source import open_experiment

        output = Path(args.output)
        if args.clips < 0:
            raise ValueError(f"Option --clips must not be negative, got {args.clips}.")
        earlier = earlier_results(output, args.overwrite, is_page_file)
        experiment = open_experiment(
            args.results,
            args.experiment,
            told=args.run,
            device_column=args.device_column,
            audio=args.audio,
        )
        target = output.with_name(f".{output.name}-new") if earlier else output
        notices = build_report(
            experiment,
            target,
            n_clips=args.clips,
            explainer=args.explainer,
            mask=args.mask,
            progress=lambda rows: tqdm(rows, desc="Clips", unit="clip", disable=args.quiet),
        )
        if earlier:
            shutil.rmtree(output)
            target.rename(output)
        if not args.quiet:
            print("".join(f"{notice}\n" for notice in notices), end="")
            print(f"{folder_bytes(output) / 1e6:.1f} MB; open {output / 'index.html'}")
