"""Command `inference`: the host's command in batches, with bad files reported in `errors.csv`."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from autrainer.core.scripts import CommandLineError, InferenceScript
from autrainer.core.scripts.inference_script import InferenceArgs

import autrainer_ext
from autrainer_ext.trust import DESCRIPTIONS

from .arguments import (
    add_options,
    check_inputs,
    check_model,
    earlier_results,
    find_audio_files,
    find_preprocessing,
    is_exported,
    progress_bar,
    replace_help,
    reporting_errors,
)
from .dividing import add_dividing_options, read_shards

if TYPE_CHECKING:
    from autrainer_ext.serving.inference import BatchedInference

_FILES_AT_ONCE = 64  # of which at most those of one killed process have to be predicted again
_TABLES = {"results.csv", "results.yaml", "errors.csv"}
_HELP = {
    "model": "Run or model directory, a file of 'autrainer-ext export' (.onnx), or a model of\n"
    "Hugging Face: hf:repo_id[@revision][:subdir][#local_dir].",
    "input": "",
    "output": "Folder to create.",
    "checkpoint": "",
    "device": "",
    "extension": "",
    "recursive": "",
    "embeddings": "Save the embedding of each file too, in a .pt file.",
    "update_frequency": "Number of files between two updates of the progress bar, 0 for no bar.\n"
    "Default: 1.",
    "preprocess_cfg": "Preprocessing configuration: path of a YAML file, name listed by\n"
    "'autrainer-ext list preprocessing', or None for no preprocessing.\n"
    "Default: that of the model.",
    "window_length": "Length of sliding windows in seconds. Default: the whole recording.",
    "stride_length": "Distance between sliding windows in seconds; needs -w.",
    "min_length": "Pad shorter recordings with zeros to M seconds. Default: no padding.",
    "sample_rate": "Sample rate to convert lengths in seconds with, in Hz.\n"
    "Default: that of the model if it resamples recordings.",
}


@dataclass(kw_only=True)
class BatchedInferenceArgs(InferenceArgs):
    """Arguments of the host's command and of this command."""

    input: list[str]  # one path in the host
    batch_size: int | None
    quiet: bool
    overwrite: bool
    jobs: int
    launcher: str | None
    shard: list[str] | None


class BatchedInferenceScript(InferenceScript):
    """Predict audio files with a trained model."""

    def __init__(self) -> None:
        super().__init__()
        self.description = "Predict audio files with a trained model, in batches."
        self.extended_description = (
            "Writes results.csv and results.yaml in the format of the host, sorted by file name.\n"
            "Files that cannot be used are listed in errors.csv with a reason.\n"
            "Exit code: 0 all files predicted, 1 none, 3 some."
        )
        self.epilog = (
            "Examples:\n"
            "  autrainer-ext inference model recordings out -p log_mel_16k\n"
            "  autrainer-ext inference results/default/training/RUN recordings out -r -w 1 -s 0.5"
        )
        self.dataclass = BatchedInferenceArgs

    def add_arguments(self) -> None:
        """Add the arguments of the host's command and of this command."""
        super().add_arguments()
        replace_help(self.parser, _HELP)
        self.parser.set_defaults(device="auto")
        for action in self.parser._actions:
            if action.dest == "input":
                action.nargs = "+"
        add_options(self.parser, "batch_size", "quiet", "overwrite")
        add_dividing_options(self.parser)

    def main(self, args: BatchedInferenceArgs) -> None:
        """Run the command; the exit code is 3 if some files cannot be predicted.

        Raises:
            CommandLineError: If no file can be predicted or an argument is wrong.
        """
        self._check_options(args)
        with reporting_errors(self.parser):
            earlier = _check_paths(args)
            root, files = find_audio_files(args.input, args.extension, args.recursive)
            if not is_exported(args.model):
                args.model = self._assert_model_exists(args)
                check_model(args.model, args.checkpoint)
            inference = _load(args, len(files))
            n_failed = _predict(args, inference, root, files, earlier)
        self._report(args, len(files), n_failed)

    def _check_options(self, args: BatchedInferenceArgs) -> None:
        from autrainer_ext.serving.forward import choose_device

        try:
            choose_device(args.device)
        except ValueError as error:
            raise CommandLineError(self.parser, str(error)) from error
        if (args.window_length is None) != (args.stride_length is None):
            raise CommandLineError(self.parser, "Options -w and -s need each other: give both.")
        for option in ("window_length", "stride_length", "min_length", "sample_rate"):
            value = getattr(args, option)
            if value is not None and value <= 0:
                name = option.replace("_", "-")
                raise CommandLineError(
                    self.parser, f"Option --{name} must be greater than 0, got {value}."
                )

    def _report(self, args: BatchedInferenceArgs, n_files: int, n_failed: int) -> None:
        counts = f"{n_files - n_failed} of {n_files} files predicted"
        errors = Path(args.output, "errors.csv")
        if n_failed == n_files:
            raise CommandLineError(self.parser, f"{counts}; see '{errors}'", code=1)
        if not args.quiet:
            print(f"{counts}; see '{errors if n_failed else args.output}'")
        if n_failed:
            sys.exit(3)


def _check_paths(args: BatchedInferenceArgs) -> list[Path]:
    """Check all paths, and replace the name of the preprocessing configuration by its path.

    Returns:
        Earlier results to replace.
    """
    if not args.model.startswith("hf:") and not is_exported(args.model):
        check_model(args.model, args.checkpoint)
    check_inputs(args.input)
    args.preprocess_cfg = find_preprocessing(str(args.preprocess_cfg))
    output = Path(args.output)
    has_results = (output / "results.csv").is_file()
    return earlier_results(
        output,
        args.overwrite,
        lambda path: str(path) in _TABLES or (has_results and path.suffix == ".pt"),
    )


def _predict(
    args: BatchedInferenceArgs,
    inference: "BatchedInference",
    root: Path,
    files: list[str],
    earlier: list[Path],
) -> int:
    """Predict files and write the tables; predictions of a call that was killed are kept.

    Returns:
        Number of files that cannot be predicted.
    """
    from autrainer_ext.serving.predictions import Predictions, PredictionsInProgress

    shown: Iterator[str | None] = repeat(None)  # a step of the progress bar per file

    def predict(some: list[str]) -> Predictions:
        return inference.run(
            str(root),
            some,
            embeddings=args.embeddings,
            progress=lambda names: (name for name, _ in zip(names, shown, strict=False)),
        )

    shards = read_shards(args, Path(args.output))
    if args.shard is not None:
        shards.map(predict, [])  # ends: the predictions are saved by the first process
    predictions = PredictionsInProgress(Path(args.output), root, args.extension, _settings(args))
    progress = progress_bar(
        "Inference",
        quiet=args.quiet or args.update_frequency == 0 or shards.has_bar,
        miniters=args.update_frequency,
    )
    waiting = predictions.waiting(files)
    shown = iter(progress(waiting))
    at_once = max(_FILES_AT_ONCE, 2 * (args.batch_size or 0))
    groups = [waiting[start : start + at_once] for start in range(0, len(waiting), at_once)]
    for predicted in shards.map(predict, groups, name="Inference"):
        predictions.add(predicted)
    next(shown, None)  # closes the bar
    predictions.publish(files, earlier)
    return len(predictions.errors)


def _settings(args: BatchedInferenceArgs) -> dict[str, object]:
    """Everything that predictions depend on, except the recordings."""
    folder = Path(args.model)
    paths = [folder / name for name in DESCRIPTIONS] + [folder / args.checkpoint / "model.pt"]
    paths = [folder] if is_exported(args.model) else paths
    paths += [Path(args.preprocess_cfg)] if args.preprocess_cfg not in (None, "default") else []
    digest = hashlib.sha256(autrainer_ext.__version__.encode())
    for path in paths:
        digest.update(path.read_bytes() if path.is_file() else b"missing")
    options = ("window_length", "stride_length", "min_length", "sample_rate", "embeddings")
    return {"model": digest.hexdigest()} | {name: getattr(args, name) for name in options}


def _load(args: BatchedInferenceArgs, n_files: int) -> "BatchedInference":
    from autrainer_ext.serving.inference import BatchedInference

    if args.embeddings and is_exported(args.model):
        raise ValueError("An exported file has no embeddings: leave out --embeddings.")
    inference = BatchedInference(
        model_path=args.model,
        checkpoint=args.checkpoint,
        device=args.device,
        preprocess_cfg=args.preprocess_cfg,
        window_length=args.window_length,
        stride_length=args.stride_length,
        min_length=args.min_length,
        sample_rate=args.sample_rate,
        batch_size=args.batch_size,
        n_expected=n_files,
    )
    resampled = inference.resampled_rate
    if args.sample_rate and resampled and args.sample_rate != resampled:
        print(
            f"The model resamples recordings to {resampled} Hz, but lengths in seconds are "
            f"converted with {args.sample_rate} Hz (-sr): omit -sr to use {resampled} Hz.",
            file=sys.stderr,
        )
    return inference
