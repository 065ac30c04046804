"""Command `explain`: why a model predicts what it does for a folder of audio."""

import sys
from dataclasses import dataclass
from pathlib import Path

from autrainer.core.scripts import AbstractScript, CommandLineError

from autrainer_ext.configurations import find_configuration

_EXPLAINERS = ["saliency", "integrated_gradients", "grad_cam", "lime", "kernel_shap"]


@dataclass
class ExplainArgs:
    """Arguments of the command."""

    model: str
    input: str
    output: str
    explainer: list[str]
    mask: list[str] | None
    listen: list[str]
    noise: list[str]
    alpha: float
    labels: str | None
    silence: float | None
    layer: str | None
    sanity: bool
    no_panels: bool
    source_compatible: bool
    preprocess_cfg: str
    checkpoint: str
    extension: str
    recursive: bool
    batch_size: int
    seed: int
    quiet: bool


class ExplainScript(AbstractScript):
    """Explain the predictions of a model and score the explanations."""

    def __init__(self) -> None:
        super().__init__(
            "explain",
            "Explain what a model predicts for a folder of audio.",
            "Writes scores.csv (one row per clip, explainer and mask), summary.csv (means with\n"
            "bootstrap intervals, beside those of random explanations) and, per clip, panels and\n"
            "FLAC files of what explanations keep and remove. Started again it continues.\n"
            "Exit code: 0 all files explained, 1 none, 3 some; see errors.csv.",
            "Examples:\n"
            "  autrainer-ext explain model recordings out\n"
            "  autrainer-ext explain model recordings out --explainer grad_cam lime-onsets\n"
            "  autrainer-ext explain model recordings out --noise white hall.wav --alpha 0.6",
            dataclass=ExplainArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        add = self.parser.add_argument
        add("model", help="Run or model directory.")
        add("input", help="Folder of audio files.")
        add("output", help="Folder to make, or to continue.")
        add(
            "--explainer",
            nargs="+",
            default=_EXPLAINERS,
            metavar="E",
            help="Explainers; NAME-SEGMENTS (lime-onsets) chooses time_slices, bands, grid,\n"
            "onsets or quickshift, permuted-NAME shuffles the maps of NAME. Random ones are\n"
            f"added as floor. Defaults to {' '.join(_EXPLAINERS)}.",
        )
        add("--mask", nargs="+", metavar="M", help="Masks that are scored. Defaults to all 14.")
        add(
            "--listen",
            nargs="*",
            default=["bin"],
            metavar="M",
            help="Masks whose kept and removed parts are written as FLAC. Defaults to bin.",
        )
        add(
            "--noise",
            nargs="+",
            default=[],
            metavar="N",
            help="Noises the clips are contaminated with, beside the clean ones: audio files, or\n"
            "white.",
        )
        add(
            "--alpha",
            type=float,
            default=0.6,
            metavar="A",
            help="Share of the clip in the mixture. Defaults to 0.6, that is 3.5 dB.",
        )
        add(
            "--labels",
            metavar="FILE",
            help="CSV with the columns filename and target, to tell correct predictions.",
        )
        add(
            "--silence",
            type=float,
            metavar="S",
            help="Value of silent features. Default: what the front end makes of silence.",
        )
        add("--layer", metavar="L", help="Layer for grad_cam. Default: a localising one.")
        add(
            "--sanity",
            action="store_true",
            help="Compare maps with those of the network with randomised layers (sanity.csv).",
        )
        add("--no-panels", action="store_true", help="Draw no figures.")
        add(
            "--source-compatible",
            action="store_true",
            help="Masks and measures of the published mask-and-reconstruct code, with its faults.",
        )
        add(
            "-p",
            "--preprocess-cfg",
            default="default",
            metavar="P",
            help="Preprocessing configuration. Defaults to that of the model.",
        )
        add("-c", "--checkpoint", default="_best", metavar="C", help="Defaults to _best.")
        add("-e", "--extension", default="wav", metavar="E", help="Defaults to wav.")
        add("-r", "--recursive", action="store_true", help="Search sub-folders too.")
        add("-b", "--batch-size", type=int, default=16, metavar="B", help="Defaults to 16.")
        add("--seed", type=int, default=0, metavar="S", help="Defaults to 0.")
        add("-q", "--quiet", action="store_true", help="Print errors only.")

    def main(self, args: ExplainArgs) -> None:
        """Run the command; exits with 3 if some files could not be explained.

        Raises:
            CommandLineError: If nothing could be explained or an argument is wrong.
        """
        try:
            self._explain(args)
        except (ValueError, FileExistsError) as error:
            raise CommandLineError(self.parser, str(error), code=1) from error

    def _explain(self, args: ExplainArgs) -> None:
        _check_paths(args)
        from autrainer_ext.serving.audio_files import collect_files
        from autrainer_ext_plugins.fidelity.clips import Explaining

        files = collect_files(args.input, args.extension, args.recursive)
        if not files:
            raise ValueError(f"No '{args.extension}' files found in '{args.input}'.")
        done = Explaining(args).run(files)
        errors = Path(args.output, "errors.csv")
        counts = f"{done.n_explained} of {len(files)} files explained"
        if not done.n_explained:
            raise ValueError(f"{counts}; see '{errors}'.")
        if not args.quiet:
            print(f"{counts}; see '{errors if done.n_failed else args.output}'")
        if done.n_failed:
            sys.exit(3)


def _check_paths(args: ExplainArgs) -> None:
    """Everything that can be wrong without importing torch."""
    for what, path in (("Model directory", args.model), ("Input folder", args.input)):
        if not Path(path).is_dir():
            raise ValueError(f"{what} '{path}' does not exist.")
    state = Path(args.model, args.checkpoint, "model.pt")
    if not state.is_file():
        raise ValueError(f"Checkpoint '{state}' does not exist.")
    for path in [*(name for name in args.noise if name != "white"), args.labels]:
        if path is not None and not Path(path).is_file():
            raise ValueError(f"'{path}' does not exist.")
    if not 0 < args.alpha <= 1:
        raise ValueError(f"--alpha must be in (0, 1], got {args.alpha}.")
    if args.batch_size < 1:
        raise ValueError(f"--batch-size must be positive, got {args.batch_size}.")
    if args.preprocess_cfg != "default":
        path = find_configuration("preprocessing", args.preprocess_cfg)
        if path is None:
            raise ValueError(f"Preprocessing configuration '{args.preprocess_cfg}' does not exist.")
        args.preprocess_cfg = str(path)
