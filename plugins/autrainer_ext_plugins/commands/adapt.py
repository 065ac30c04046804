"""Command `adapt`: adapt a trained model to unlabelled audio and save it as a model directory."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autrainer.core.scripts import AbstractScript

from .arguments import (
    add_options,
    check_free,
    check_inputs,
    check_model,
    find_audio_files,
    progress_bar,
    reporting_errors,
)

if TYPE_CHECKING:
    import pandas as pd

    from autrainer_ext.adaptation import AdaptationMethod
    from autrainer_ext.serving.features import Features

_DESCRIPTIONS = (
    "model.yaml",
    "target_transform.yaml",
    "inference_transform.yaml",
    "file_handler.yaml",
    "preprocess_file_handler.yaml",
    "preprocess_pipeline.yaml",
)
_METHODS = ("ntta", "tent", "shot_im", "eata", "sar", "batch_norm")  # those that change the model
_EVENTS = ("adapted", "held", "reset", "skipped")


@dataclass
class AdaptArgs:
    """Arguments of the command."""

    model: str
    input: list[str]
    output: str
    method: str
    checkpoint: str
    extension: str
    recursive: bool
    passes: int
    batch_size: int
    learning_rate: float | None
    parameters: str | None
    length: float | None
    device: str
    seed: int
    quiet: bool


class AdaptScript(AbstractScript):
    """Adapt a trained model to a folder of unlabelled audio."""

    def __init__(self) -> None:
        super().__init__(
            "adapt",
            "Adapt a trained model to a folder of unlabelled audio.",
            "Writes a model directory that can be used like the original one, with the adaptation\n"
            "steps in adaptation.csv and unusable files in errors.csv.\n"
            "Exit code: 0 all files were used, 1 nothing could be done, 3 some files were used.",
            "Example: autrainer-ext adapt results/default/training/RUN recordings adapted",
            dataclass=AdaptArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        add = self.parser.add_argument
        add("model", help="Run or model directory.")
        add(
            "input",
            nargs="+",
            help="Audio files, and folders of audio files, from the place where the model will be "
            "used.",
        )
        add("output", help="Model directory to write.")
        add("--method", choices=_METHODS, default="ntta", help="Adaptation method. Default: ntta.")
        add_options(self.parser, "checkpoint", "extension", "recursive")
        add("--passes", type=int, default=1, help="Number of passes over all files. Default: 1.")
        add(
            "-b",
            "--batch-size",
            type=int,
            default=32,
            help="Number of files per step. Default: 32.",
        )
        add("--learning-rate", type=float, help="Learning rate. Default: that of the method.")
        add(
            "--parameters",
            choices=("norm", "features", "all"),
            help="Parameters to adapt: norm layers, all but the classifier, or all. "
            "Default: those of the method.",
        )
        add("--length", type=float, metavar="S", help="Cut or pad all files to S seconds.")
        add_options(self.parser, "device", "seed", "quiet")

    def main(self, args: AdaptArgs) -> None:
        """Run the command; exits with 3 if some files could not be used.

        Args:
            args: Arguments.

        Raises:
            CommandLineError: If nothing could be done or an argument is wrong.
        """
        with reporting_errors(self.parser):
            _check_arguments(args)
            steps, n_files, n_failed, has_changed = _adapt(args)
        if not has_changed:
            print(
                "The model is unchanged, since no step was taken. The guard of NTTA takes no step "
                "where\nthe model predicts few classes; other methods have no guard.",
                file=sys.stderr,
            )
        if not args.quiet:
            counts = steps["event"].value_counts()
            events = ", ".join(f"{counts.get(event, 0)} {event}" for event in _EVENTS)
            print(f"{n_files - n_failed} of {n_files} files used, steps: {events}; "
                  f"see '{args.output}'")  # fmt: skip
        if n_failed:
            sys.exit(3)


def _check_arguments(args: AdaptArgs) -> None:
    """Check what can be checked without slow imports."""
    check_model(args.model, args.checkpoint)
    check_inputs(args.input)
    check_free(args.output)
    if args.batch_size < 2:
        raise ValueError(f"Option --batch-size must be at least 2, got {args.batch_size}.")
    if args.method == "batch_norm" and (args.learning_rate or args.parameters):
        raise ValueError("Method 'batch_norm' has no options --learning-rate and --parameters.")


def _adapt(args: AdaptArgs) -> tuple["pd.DataFrame", int, int, bool]:
    """Adapt the model and write its directory.

    Returns:
        Steps, number of files, number of files that cannot be used, and whether the model changed.
    """
    import pandas as pd

    from autrainer_ext.adaptation import Protocol, adapt, make_method, settle
    from autrainer_ext.serving.features import FeatureReader
    from autrainer_ext.serving.forward import choose_device

    device = choose_device(args.device)
    root, files = find_audio_files(args.input, args.extension, args.recursive)
    protocol = Protocol(
        mode="offline", passes=args.passes, batch_size=args.batch_size, seed=args.seed
    )
    reader = FeatureReader(
        model_path=args.model, checkpoint=args.checkpoint, length_seconds=args.length
    )
    method = make_method(args.method, reader.model.to(device), _method_options(args))
    read = reader.read(root, files, progress=progress_bar("Reading", quiet=args.quiet))
    _check_number_of_files(read, len(files))
    features = read.features.to(device)
    steps = pd.DataFrame(adapt(method, features, protocol).steps)
    has_changed = bool((steps["event"] == "adapted").any()) or args.method == "batch_norm"
    if has_changed:
        settle(method, features, batch_size=args.batch_size, seed=args.seed)
    _write(args, method, steps, read.errors)
    return steps, len(files), len(read.errors), has_changed


def _method_options(args: AdaptArgs) -> dict[str, Any]:
    given = {"learning_rate": args.learning_rate, "parameters": args.parameters}
    if args.method == "ntta":
        given["seed"] = args.seed
    return {name: value for name, value in given.items() if value is not None}


def _check_number_of_files(read: "Features", n_files: int) -> None:
    if len(read.files) >= 2:
        return
    example = ""
    if len(read.errors):
        file, reason = read.errors.iloc[0]
        example = f" ('{file}': {reason})"
    raise ValueError(
        f"Only {len(read.files)} of {n_files} files can be used, at least 2 are needed{example}."
    )


def _write(
    args: AdaptArgs, method: "AdaptationMethod", steps: "pd.DataFrame", errors: "pd.DataFrame"
) -> None:
    """Write the model directory, the steps and the unusable files."""
    from autrainer_ext.atomic import atomic_folder
    from autrainer_ext.serving.audio_files import write_errors
    from autrainer_ext.serving.model_directory import save_tensors
    from autrainer_ext_plugins.writing import write_table

    with atomic_folder(Path(args.output)) as folder:
        for name in _DESCRIPTIONS:
            if Path(args.model, name).is_file():
                shutil.copy(Path(args.model, name), folder)
        (folder / "_best").mkdir()
        save_tensors(method.model.cpu().state_dict(), folder / "_best" / "model.pt")
        write_table(steps, folder / "adaptation.csv")
        write_errors(errors, folder)
