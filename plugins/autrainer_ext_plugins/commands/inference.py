"""Command `inference`: the host's, in batches, with bad files reported in `errors.csv`."""

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autrainer.core.scripts import CommandLineError, InferenceScript
from autrainer.core.scripts.inference_script import InferenceArgs

from autrainer_ext.configurations import find_configuration

if TYPE_CHECKING:
    from autrainer_ext.serving.inference import Predictions

_TABLES = {"results.csv", "results.yaml", "errors.csv"}


@dataclass
class BatchedInferenceArgs(InferenceArgs):
    """Arguments of the command: the host's and ours."""

    batch_size: int
    quiet: bool
    overwrite: bool


class BatchedInferenceScript(InferenceScript):
    """Predict a folder of audio with a saved model."""

    def __init__(self) -> None:
        super().__init__()
        self.description = "Predict a folder of audio with a trained model, in batches."
        self.extended_description = (
            "Writes results.csv and results.yaml as the host does, files in sorted order.\n"
            "Files that cannot be used go to errors.csv with a reason.\n"
            "Exit code: 0 all files predicted, 1 none, 3 some."
        )
        self.epilog = (
            "Examples:\n"
            "  autrainer-ext inference model recordings out -p log_mel_16k\n"
            "  autrainer-ext inference results/default/training/RUN recordings out -r -w 1 -s 0.5"
        )
        self.dataclass = BatchedInferenceArgs

    def add_arguments(self) -> None:
        """Add the host's arguments and ours."""
        super().add_arguments()
        self.parser.add_argument(
            "-b",
            "--batch-size",
            type=_positive,
            default=32,
            metavar="B",
            help="Inputs of the model at a time, fewer where they are long. Defaults to 32.",
        )
        self.parser.add_argument("-q", "--quiet", action="store_true", help="Print errors only.")
        self.parser.add_argument(
            "--overwrite",
            action="store_true",
            help="Replace the results in an output folder that holds nothing but earlier results.",
        )

    def main(self, args: BatchedInferenceArgs) -> None:
        """Run the command; exits with 3 if some files could not be predicted.

        Raises:
            CommandLineError: If nothing could be predicted or an argument is wrong.
        """
        self._check_cheaply(args)
        from autrainer_ext.serving.audio_files import collect_files
        from autrainer_ext.serving.inference import BatchedInference

        files = collect_files(args.input, args.extension, args.recursive)
        if not files:
            raise self._error(f"No '{args.extension}' files found in '{args.input}'.")
        args.model = self._assert_model_exists(args)
        self._assert_valid_checkpoint(args)
        try:
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
            )
        except ValueError as error:
            raise self._error(str(error)) from error
        resampled = inference.resampled_rate
        if args.sample_rate and resampled and args.sample_rate != resampled:
            print(
                f"Lengths count samples at {args.sample_rate} Hz (-sr), but the model resamples "
                f"to {resampled} Hz: leave -sr out to count in seconds.",
                file=sys.stderr,
            )
        outcome = inference.run(
            args.input, files, embeddings=args.embeddings, progress=_progress(args)
        )
        write_outcome(outcome, Path(args.output), args.extension)
        self._report(args, len(files), len(outcome.errors))

    def _check_cheaply(self, args: BatchedInferenceArgs) -> None:
        """Everything that can be wrong without loading a model."""
        self._assert_valid_device(args)
        if (args.window_length is None) != (args.stride_length is None):
            raise CommandLineError(self.parser, "-w and -s belong together.")
        for option in ("window_length", "stride_length", "min_length", "sample_rate"):
            if getattr(args, option) is not None and getattr(args, option) <= 0:
                raise CommandLineError(
                    self.parser, f"--{option.replace('_', '-')} must be greater than 0."
                )
        if not args.model.startswith("hf:"):
            if not Path(args.model).is_dir():
                raise self._error(f"Model directory '{args.model}' does not exist.")
            self._assert_valid_checkpoint(args)
        if not Path(args.input).is_dir():
            raise self._error(f"Input folder '{args.input}' does not exist.")
        self._assert_and_set_preprocess_path(args)
        self._check_output(Path(args.output), args.overwrite)

    def _assert_valid_checkpoint(self, args: BatchedInferenceArgs) -> None:
        state = Path(args.model, args.checkpoint, "model.pt")
        if not state.is_file():
            raise self._error(f"Checkpoint '{state}' does not exist.")

    def _assert_and_set_preprocess_path(self, args: BatchedInferenceArgs) -> None:
        name = args.preprocess_cfg
        if name == "default":
            return
        if name == "None":
            args.preprocess_cfg = None
            return
        as_path = Path(name if name.endswith(".yaml") else f"{name}.yaml")
        path = as_path if as_path.is_file() else find_configuration("preprocessing", name)
        if path is None:
            raise self._error(f"Preprocessing configuration '{name}' does not exist.")
        args.preprocess_cfg = str(path)

    def _check_output(self, output: Path, overwrite: bool) -> None:
        if not output.exists():
            return
        if not output.is_dir():
            raise self._error(f"Output '{output}' is not a folder.")
        if not any(output.iterdir()):
            return
        if not overwrite:
            raise self._error(
                f"Output folder '{output}' is not empty: choose another, or add --overwrite."
            )
        foreign = _foreign_files(output)
        if foreign:
            raise self._error(
                f"Output folder '{output}' holds '{foreign[0]}', which is no earlier result."
            )

    def _report(self, args: BatchedInferenceArgs, n_files: int, n_failed: int) -> None:
        counts = f"{n_files - n_failed} of {n_files} files predicted"
        errors = Path(args.output, "errors.csv")
        if n_failed == n_files:
            raise self._error(f"{counts}; see '{errors}'")
        if not args.quiet:
            print(f"{counts}; see '{errors if n_failed else args.output}'")
        if n_failed:
            sys.exit(3)

    def _error(self, message: str) -> CommandLineError:
        return CommandLineError(self.parser, message, code=1)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 on")
    return int(text)


def _progress(args: BatchedInferenceArgs):
    from tqdm import tqdm

    def progress(files):
        return tqdm(
            files,
            desc="Inference",
            unit="file",
            miniters=args.update_frequency,
            disable=args.quiet or args.update_frequency == 0,
        )

    return progress


def _foreign_files(output: Path) -> list[str]:
    """Files that no earlier inference can have written."""
    endings = {".pt"} if (output / "results.csv").is_file() else set()
    return sorted(
        str(path.relative_to(output))
        for path in output.rglob("*")
        if not path.is_dir()
        and str(path.relative_to(output)) not in _TABLES
        and path.suffix not in endings
    )


def write_outcome(outcome: "Predictions", output: Path, extension: str) -> None:
    """Write predictions as the host does, embeddings and `errors.csv` beside them.

    Earlier results in the folder are replaced. Everything is written to a hidden folder
    first, so that every file appears whole.

    Args:
        outcome: What came out; tables without rows do not appear.
        output: Folder, made if need be.
        extension: Ending of the audio files, left out of the names of embeddings.
    """
    is_new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    earlier = [path for path in output.rglob("*") if not path.is_dir()]
    beside = Path(tempfile.mkdtemp(prefix=".inference-", dir=output))
    try:
        _write(outcome, beside, extension)
        for path in earlier:
            path.unlink()
        for path in [path for path in beside.rglob("*") if not path.is_dir()]:
            target = output / path.relative_to(beside)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    except BaseException:
        shutil.rmtree(output if is_new else beside, ignore_errors=True)
        raise
    shutil.rmtree(beside)


def _write(outcome: "Predictions", folder: Path, extension: str) -> None:
    import torch
    from autrainer.serving import Inference

    if len(outcome.results):
        Inference.save_prediction_yaml(outcome.results, str(folder))
        Inference.save_prediction_results(outcome.results, str(folder))
    if len(outcome.errors):
        outcome.errors.to_csv(folder / "errors.csv", index=False, errors="backslashreplace")
    for row in outcome.embeddings.to_dict("records"):
        name = row["filename"].removesuffix("." + extension.lstrip("."))
        offset = f"-{row['offset']}" if "offset" in row else ""
        path = folder / f"{name}{offset}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(row["embedding"], path)
