"""Command `adapt`: a model directory for the place its unlabelled audio comes from."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from autrainer.core.scripts import AbstractScript, CommandLineError

_DESCRIPTIONS = (
    "model.yaml",
    "target_transform.yaml",
    "inference_transform.yaml",
    "file_handler.yaml",
    "preprocess_file_handler.yaml",
    "preprocess_pipeline.yaml",
)
_CHANGING = ("ntta", "tent", "shot_im", "eata", "sar", "batch_norm")


@dataclass
class AdaptArgs:
    """Arguments of the command."""

    model: str
    input: str
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
    seed: int
    quiet: bool


class AdaptScript(AbstractScript):
    """Adapt a saved model to a folder of audio without labels."""

    def __init__(self) -> None:
        super().__init__(
            "adapt",
            "Adapt a trained model to a folder of audio without labels.",
            "Makes a model directory that inference serves as the original one, with the steps "
            "in\nadaptation.csv and files that cannot be used in errors.csv.\n"
            "Exit code: 0 all files were used, 1 nothing could be done, 3 some were used.",
            "Example: autrainer-ext adapt results/default/training/RUN recordings adapted",
            dataclass=AdaptArgs,
        )

    def add_arguments(self) -> None:
        """Add the arguments of the command."""
        add = self.parser.add_argument
        add("model", help="Run or model directory.")
        add("input", help="Folder of audio as it is to be predicted later.")
        add("output", help="Model directory to make.")
        add(
            "--method",
            choices=_CHANGING,
            default="ntta",
            help="Defaults to ntta.",
        )
        add("-c", "--checkpoint", default="_best", metavar="C", help="Defaults to _best.")
        add("-e", "--extension", default="wav", metavar="E", help="Defaults to wav.")
        add("-r", "--recursive", action="store_true", help="Look into sub-folders too.")
        add("--passes", type=int, default=1, help="Passes over all files. Defaults to 1.")
        add("-b", "--batch-size", type=int, default=32, help="Defaults to 32.")
        add("--learning-rate", type=float, help="Default: that of the method.")
        add("--parameters", choices=("norm", "features", "all"), help="What is adapted.")
        add("--length", type=float, metavar="S", help="Cut or pad all files to S seconds.")
        add("--seed", type=int, default=0, help="Of order and views. Defaults to 0.")
        add("-q", "--quiet", action="store_true", help="Print errors only.")

    def main(self, args: AdaptArgs) -> None:
        """Run the command; exits with 3 if some files could not be used.

        Raises:
            CommandLineError: If nothing could be done or an argument is wrong.
        """
        self._check_cheaply(args)
        import pandas as pd
        import torch

        from autrainer_ext.adaptation import Protocol, adapt, make_method, settle
        from autrainer_ext.atomic import atomic_folder
        from autrainer_ext.serving.audio_files import collect_files
        from autrainer_ext.serving.features import FeatureReader
        from autrainer_ext_plugins.writing import write_table

        files = collect_files(args.input, args.extension, args.recursive)
        if not files:
            raise self._error(f"No '{args.extension}' files found in '{args.input}'.")
        options = {
            key: getattr(args, key)
            for key in ("learning_rate", "parameters")
            if getattr(args, key) is not None
        }
        if args.method == "ntta":
            options["seed"] = args.seed
        try:
            protocol = Protocol(
                mode="offline", passes=args.passes, batch_size=args.batch_size, seed=args.seed
            )
            reader = FeatureReader(
                model_path=args.model, checkpoint=args.checkpoint, length_seconds=args.length
            )
            method = make_method(args.method, reader.model, options)
            read = reader.read(args.input, files, progress=_progress(args, "Reading"))
            if len(read.files) < 2:
                reason = (
                    ""
                    if read.errors.empty
                    else f": '{read.errors.iloc[0, 0]}' " + str(read.errors.iloc[0, 1])
                )
                raise ValueError(f"{len(read.files)} of {len(files)} files can be used{reason}")
            outcome = adapt(method, read.features, protocol)
        except ValueError as error:
            raise self._error(str(error)) from error
        steps = pd.DataFrame(outcome.steps)
        has_changed = (steps["event"] == "adapted").any() or args.method == "batch_norm"
        if has_changed:
            settle(method, read.features, batch_size=args.batch_size, seed=args.seed)
        with atomic_folder(Path(args.output)) as folder:
            for name in _DESCRIPTIONS:
                if Path(args.model, name).is_file():
                    shutil.copy(Path(args.model, name), folder)
            (folder / "_best").mkdir()
            torch.save(reader.model.state_dict(), folder / "_best" / "model.pt")
            write_table(steps, folder / "adaptation.csv")
            if len(read.errors):
                read.errors.to_csv(folder / "errors.csv", index=False, errors="backslashreplace")
        self._report(args, steps, len(files), len(read.errors), has_changed)

    def _check_cheaply(self, args: AdaptArgs) -> None:
        from autrainer_ext.atomic import is_free

        if not (Path(args.model) / "model.yaml").is_file():
            raise self._error(f"'{args.model}' is no model directory: it has no model.yaml.")
        state = Path(args.model, args.checkpoint, "model.pt")
        if not state.is_file():
            raise self._error(f"Checkpoint '{state}' does not exist.")
        if not Path(args.input).is_dir():
            raise self._error(f"Input folder '{args.input}' does not exist.")
        if not is_free(Path(args.output)):
            raise self._error(f"Output '{args.output}' exists: choose another.")
        if args.batch_size < 2:
            raise self._error(f"A batch needs 2 samples at least, got {args.batch_size}.")
        if args.method == "batch_norm" and (args.learning_rate or args.parameters):
            raise self._error("Method 'batch_norm' learns nothing: it has no such options.")

    def _report(
        self, args: AdaptArgs, steps, n_files: int, n_failed: int, has_changed: bool
    ) -> None:
        counts = steps["event"].value_counts()
        told = ", ".join(f"{counts.get(event, 0)} {event}" for event in
                         ("adapted", "held", "reset", "skipped"))  # fmt: skip
        if not has_changed:
            print(
                "No step was taken: the model is the original one. The guard of NTTA holds where "
                "the\nmodel predicts few classes; another --method has none.",
                file=sys.stderr,
            )
        if not args.quiet:
            print(f"{n_files - n_failed} of {n_files} files, steps: {told}; see '{args.output}'")
        if n_failed:
            sys.exit(3)

    def _error(self, message: str) -> CommandLineError:
        return CommandLineError(self.parser, message, code=1)


def _progress(args: AdaptArgs, what: str):
    from tqdm import tqdm

    return lambda files: tqdm(files, desc=what, unit="file", disable=args.quiet)
