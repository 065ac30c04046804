"""Command `import-cp-mobile`: convert published weights to a model directory."""

from dataclasses import dataclass

from autrainer.core.scripts import AbstractScript

from hydra_plugins.autrainer_ext import configuration_directory

from .arguments import read_class_list, reporting_errors

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
    class_names: str | None


class ImportCPMobileScript(AbstractScript):
    """Convert published CP-Mobile weights to a model directory."""

    def __init__(self) -> None:
        super().__init__(
            "import-cp-mobile",
            "Convert published CP-Mobile weights to a model directory.",
            epilog="Example: autrainer-ext import-cp-mobile state.npz tau22_model",
            dataclass=ImportCPMobileArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        self.parser.add_argument(
            "state",
            help="Published weights: .npz file with one array per weight, .ckpt or .pt file.",
        )
        self.parser.add_argument("output", help="Model directory to create.")
        self.parser.add_argument(
            "--class-names",
            "--labels",
            dest="class_names",
            metavar="FILE",
            help="Text file with one class name per line, sorted.\n"
            "Default: the ten scenes of TAU Urban Acoustic Scenes.",
        )

    def main(self, args: ImportCPMobileArgs) -> None:
        """Run the command.

        Args:
            args: Parsed arguments.

        Raises:
            CommandLineError: If the weights, the class names or the output folder cannot be used.
        """
        from autrainer_ext.serving.model_directory import write_model_directory
        from autrainer_ext.serving.published import load_cp_mobile

        with reporting_errors(self.parser):
            model = load_cp_mobile(args.state)
            front_end = "cp_mobile_32k" if model.response_norm else "dcase2024_32k"
            write_model_directory(
                args.output,
                model,
                TAU_SCENES if args.class_names is None else read_class_list(args.class_names),
                configuration_directory() / "preprocessing" / f"{front_end}.yaml",
            )
        print(f"Model directory with front end {front_end}: {args.output}")
