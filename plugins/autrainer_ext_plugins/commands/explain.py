"""Command `explain`: explanations of a model's predictions for a folder of audio."""

import sys
from dataclasses import dataclass
from pathlib import Path

from autrainer.core.scripts import AbstractScript

from autrainer_ext.explanation.settings import WINDOWS, ExplainSettings
from autrainer_ext.style import Style

from .arguments import (
    add_options,
    check_inputs,
    check_model,
    find_audio_files,
    find_preprocessing,
    positive_int,
    reporting_errors,
    style_settings,
)
from .dividing import add_dividing_options, read_shards


@dataclass
class ExplainArgs:
    """Arguments of the command."""

    model: str
    input: list[str]
    output: str
    explainer: list[str]
    mask: list[str] | None
    listen: list[str]
    noise: list[str]
    alpha: float
    windows: str
    targets: str | None
    baseline: float | None
    layer: str | None
    samples: int
    target_error: float
    significant: bool
    sanity: bool
    no_panels: bool
    source_compatible: bool
    preprocess_cfg: str
    checkpoint: str
    extension: str
    recursive: bool
    batch_size: int | None
    device: str
    seed: int
    column_width: float | None
    font_size: float | None
    quiet: bool
    jobs: int
    launcher: str | None
    shard: list[str] | None


class ExplainScript(AbstractScript):
    """Explain the predictions of a model and score the explanations."""

    def __init__(self) -> None:
        super().__init__(
            "explain",
            "Explain a model's predictions for audio files.",
            "Writes scores.csv (one row per clip, explainer and mask, beside random masks of\n"
            "equal size), summary.csv (means with bootstrap intervals), size.csv, areas.csv and\n"
            "comparison.csv (explainers at equal size) and, per clip, panels and FLAC files of\n"
            "the parts that explanations keep and remove. If OUTPUT holds an interrupted call\n"
            "with the same settings, it is continued.\n"
            "Exit code: 0 all files explained, 1 none, 3 some; errors.csv lists the others.",
            "Examples:\n"
            "  autrainer-ext explain model recordings out\n"
            "  autrainer-ext explain model one.wav other.flac recordings out\n"
            "  autrainer-ext explain model recordings out --explainer grad_cam lime-onsets\n"
            "  autrainer-ext explain model recordings out --noise white hall.wav --alpha 0.6",
            dataclass=ExplainArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        add = self.parser.add_argument
        explainers = list(ExplainSettings.explainers)
        add("model", help="Run or model directory.")
        add_options(self.parser, "input")
        add("output", help="Folder to create, or to continue.")
        add(
            "--explainer",
            nargs="+",
            default=explainers,
            metavar="E",
            help="Explainers. NAME-SEGMENTS (lime-onsets) chooses the segments: time_slices,\n"
            "bands, grid, onsets or quickshift. permuted-NAME shuffles the attributions of NAME.\n"
            "grad_cam_signed keeps evidence against the class.\n"
            f"Default: {' '.join(explainers)}.",
        )
        add("--mask", nargs="+", metavar="M", help="Masks to score. Default: all 14.")
        add(
            "--listen",
            nargs="*",
            default=list(ExplainSettings.listen),
            metavar="M",
            help="Masks whose kept and removed parts are written as FLAC. Default: bin.",
        )
        add(
            "--noise",
            nargs="+",
            default=[],
            metavar="N",
            help="Noises to mix with the clips, in addition to the clean clips: audio files, or\n"
            "white.",
        )
        add(
            "--alpha",
            type=float,
            default=ExplainSettings.alpha,
            metavar="A",
            help="Share of the clip in the mixture with noise. Default: 0.6 (3.5 dB).",
        )
        add(
            "--windows",
            default=ExplainSettings.windows,
            choices=WINDOWS,
            help="What to explain of recordings longer than what the model hears: the window it\n"
            "heard (heard, the default), or one window after the other (all).",
        )
        add(
            "--targets",
            "--labels",
            metavar="FILE",
            help="CSV with the columns filename and target (true class).",
        )
        add(
            "--baseline",
            "--silence",
            type=float,
            metavar="V",
            help="Value of silent features. Default: computed from the front end.",
        )
        add("--layer", metavar="L", help="Layer for grad_cam. Default: deepest that localises.")
        add(
            "--samples",
            type=positive_int,
            default=ExplainSettings.samples,
            metavar="N",
            help="Most masked copies per clip for lime and kernel_shap. Default: "
            f"{ExplainSettings.samples}.",
        )
        add(
            "--target-error",
            type=float,
            default=ExplainSettings.target_error,
            metavar="E",
            help="Standard error of their values, in standard deviations of the values, below\n"
            f"which fewer copies are enough. Default: {ExplainSettings.target_error}.",
        )
        add(
            "--significant",
            action="store_true",
            help="Let masks ignore values within 1.96 standard errors of zero.",
        )
        add(
            "--sanity",
            action="store_true",
            help="Compare attributions with those of networks with randomised layers (sanity.csv).",
        )
        add("--no-panels", action="store_true", help="Draw no figures.")
        add(
            "--source-compatible",
            action="store_true",
            help="Use masks and measures of the published mask-and-reconstruct code, with its\n"
            "errors.",
        )
        add(
            "-p",
            "--preprocess-cfg",
            default=ExplainSettings.preprocessing,
            metavar="P",
            help="Preprocessing configuration. Default: that of the model.",
        )
        add_options(
            self.parser,
            "batch_size",
            "device",
            "checkpoint",
            "extension",
            "recursive",
            "seed",
            "column_width",
            "font_size",
            "quiet",
        )
        add_dividing_options(self.parser)

    def main(self, args: ExplainArgs) -> None:
        """Run the command; exits with 3 if some files could not be explained.

        Raises:
            CommandLineError: If nothing could be explained or an argument is wrong.
        """
        with reporting_errors(self.parser):
            self._explain(args)

    def _explain(self, args: ExplainArgs) -> None:
        _check_paths(args)
        settings = _read_settings(args)
        style = Style(**style_settings(args))
        # imported late: both import torch, and errors in arguments should be reported at once
        from autrainer_ext_plugins.fidelity.folder import FolderExplanation

        root, files = find_audio_files(args.input, args.extension, args.recursive)
        work = FolderExplanation(
            settings, model=Path(args.model), input=root, output=Path(args.output)
        )
        if work.no_audio_reason and not args.quiet:
            print(f"No audio of the parts: {work.no_audio_reason}")
        shards = read_shards(args, Path(args.output))
        with style.applied():
            done = work.run(files, quiet=args.quiet, shards=shards)
        errors = Path(args.output, "errors.csv")
        counts = f"{done.n_explained} of {len(files)} files explained"
        if not done.n_explained:
            raise ValueError(f"{counts}; see '{errors}'.")
        if not args.quiet:
            print(f"{counts}; see '{errors if done.n_failed else args.output}'")
        if done.n_failed:
            sys.exit(3)


def _check_paths(args: ExplainArgs) -> None:
    """Check that all files and folders exist."""
    check_model(args.model, args.checkpoint)
    check_inputs(args.input)
    for path in [*(name for name in args.noise if name != "white"), args.targets]:
        if path is not None and not Path(path).is_file():
            raise ValueError(f"File '{path}' does not exist.")


def _read_settings(args: ExplainArgs) -> ExplainSettings:
    """Turn arguments into settings.

    Raises:
        ValueError: If a name does not exist or a number is out of range.
    """
    return ExplainSettings(
        explainers=tuple(args.explainer),
        masks=None if args.mask is None else tuple(args.mask),
        listen=tuple(args.listen),
        noises=tuple(args.noise),
        alpha=args.alpha,
        windows=args.windows,
        targets=args.targets,
        baseline=args.baseline,
        layer=args.layer,
        samples=args.samples,
        target_error=args.target_error,
        significant=args.significant,
        sanity=args.sanity,
        panels=not args.no_panels,
        source_compatible=args.source_compatible,
        preprocessing=find_preprocessing(args.preprocess_cfg),
        checkpoint=args.checkpoint,
        batch_size=args.batch_size,
        device=args.device,
        seed=args.seed,
    )
