"""Command `import-cp-mobile`: published weights to a model directory."""

from dataclasses import dataclass
from pathlib import Path

from autrainer.core.scripts import AbstractScript, CommandLineError

from hydra_plugins.autrainer_ext import configuration_directory

TAU_SCENES = [
    "airport",
    "bus",
    "metro",
    "metro_station",
    "park",
    "public_square",
    "shopping_mall",
    "street_pedestrian",
    "street_traffic",
    "tram",
]


@dataclass
class ImportCPMobileArgs:
    """Arguments of the command."""

    state: str
    output: str
    labels: str | None


class ImportCPMobileScript(AbstractScript):
    """Turn published weights of CP-Mobile into a directory for `inference`."""

    def __init__(self) -> None:
        super().__init__(
            "import-cp-mobile",
            "Turn published CP-Mobile weights into a model directory.",
            epilog="Example: autrainer-ext import-cp-mobile state.npz tau22_model",
            dataclass=ImportCPMobileArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        self.parser.add_argument(
            "state", help="Published weights: .npz with one array per weight, or .ckpt or .pt."
        )
        self.parser.add_argument("output", help="Model directory to make.")
        self.parser.add_argument(
            "--labels",
            metavar="FILE",
            help="Text file with one class name per line, sorted.\n"
            "Default: the ten scenes of TAU Urban Acoustic Scenes.",
        )

    def main(self, args: ImportCPMobileArgs) -> None:
        """Run the command.

        Args:
            args: Parsed arguments.

        Raises:
            CommandLineError: If the weights, the labels or the output folder are unusable.
        """
        from autrainer_ext.serving.model_directory import write_model_directory
        from autrainer_ext.serving.published import load_published

        try:
            model = load_published(args.state)
            front_end = "cp_mobile_32k" if model.response_norm else "dcase2024_32k"
            write_model_directory(
                args.output,
                model,
                TAU_SCENES if args.labels is None else _read_labels(args.labels),
                configuration_directory() / "preprocessing" / f"{front_end}.yaml",
            )
        except (ValueError, FileExistsError) as error:
            raise CommandLineError(self.parser, str(error), code=1) from error
        print(f"Model directory with the front end {front_end}: {args.output}")


def _read_labels(path: str) -> list[str]:
    if not Path(path).is_file():
        raise ValueError(f"'{path}' does not exist.")
    return [line.strip() for line in Path(path).read_text().splitlines() if line.strip()]
