"""Command `adapt`: adapt a trained model to unlabelled audio and save it as a model directory."""

import copy
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autrainer.core.scripts import AbstractScript

from autrainer_ext.trust import DESCRIPTIONS

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
    from torch import nn

    from autrainer_ext.adaptation import Adaptation
    from autrainer_ext.serving.features import Features

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
    options: list[str]
    always: bool
    same_mix: bool
    stream: bool
    resume: str | None
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
            "Writes a model directory that can be used like the original one. Where the adapted\n"
            "model is not clearly better, that is the original model; adaptation.csv says why.\n"
            "The steps are in steps.csv, unusable files in errors.csv.\n"
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
        add("--passes", type=int, default=3, help="Number of passes over all files. Default: 3.")
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
        add(
            "-o",
            "--options",
            nargs="+",
            default=[],
            metavar="NAME=VALUE",
            help="Settings of the method, for example entropy=0.5 views=1 guard=true.",
        )
        add(
            "--always",
            action="store_true",
            help="Write the adapted model even if it may be worse than the original one.",
        )
        add(
            "--same-mix",
            action="store_true",
            help="The model will be used on the class mix of these files: if they hold few "
            "classes, these may be preferred.",
        )
        add(
            "--stream",
            action="store_true",
            help="Predict one file after the other at once, in order of their names, and adapt in "
            "between; writes predictions.csv and stream.pt too.",
        )
        add("--resume", metavar="FILE", help="Continue a stream from its stream.pt.")
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
            events, reason, n_files, n_failed = _stream(args) if args.stream else _adapt(args)
        if not args.quiet:
            counts = ", ".join(f"{events[event]} {event}" for event in _EVENTS)
            print(f"{n_files - n_failed} of {n_files} files used, steps: {counts}; "
                  f"see '{args.output}'\n{reason}")  # fmt: skip
        if n_failed:
            sys.exit(3)


def _check_arguments(args: AdaptArgs) -> None:
    """Check what can be checked without slow imports."""
    check_model(args.model, args.checkpoint)
    check_inputs(args.input)
    check_free(args.output)
    if args.batch_size < 2:
        raise ValueError(f"Option --batch-size must be at least 2, got {args.batch_size}.")
    if args.passes < 1:
        raise ValueError(f"Option --passes must be positive, got {args.passes}.")
    if args.resume and not args.stream:
        raise ValueError("Option --resume needs --stream.")
    if args.resume and not Path(args.resume).is_file():
        raise ValueError(f"File '{args.resume}' of the stream does not exist.")
    if args.stream and args.always:
        raise ValueError("Option --always has no effect with --stream: a stream is guarded.")
    if args.method == "batch_norm" and (args.learning_rate or args.parameters):
        raise ValueError("Method 'batch_norm' has no options --learning-rate and --parameters.")


def _adapt(args: AdaptArgs) -> tuple[Counter[str], str, int, int]:
    """Adapt the model and write its directory.

    Returns:
        Number of steps by event, the decision in words, number of files and number of files that
        cannot be used.
    """
    from autrainer_ext.adaptation import adapt_to, make_method
    from autrainer_ext.serving.features import FeatureReader
    from autrainer_ext.serving.forward import choose_device

    device = choose_device(args.device)
    root, files = find_audio_files(args.input, args.extension, args.recursive)
    names = _class_names(Path(args.model))
    reader = FeatureReader(
        model_path=args.model, checkpoint=args.checkpoint, length_seconds=args.length
    )
    options = _method_options(args)
    make_method(args.method, copy.deepcopy(reader.model), options)
    read = reader.read(root, files, progress=progress_bar("Reading", quiet=args.quiet))
    _check_number_of_files(read, len(files))
    adaptation = adapt_to(
        reader.model.to(device),
        read.features,
        method=args.method,
        options=options,
        passes=args.passes,
        batch_size=args.batch_size,
        seed=args.seed,
        always=args.always,
        same_mix=args.same_mix,
        class_names=names,
    )
    _write(args, adaptation.model, _tables(adaptation), read.errors)
    events = Counter(step["event"] for step in adaptation.steps)
    return events, adaptation.decision.reason, len(files), len(read.errors)


def _stream(args: AdaptArgs) -> tuple[Counter[str], str, int, int]:
    """Predict files one by one, adapt in between and write model, predictions and state.

    Returns:
        As `_adapt`.
    """
    import pandas as pd
    import torch

    from autrainer_ext.adaptation import AdaptiveStream
    from autrainer_ext.adaptation.decision import confidence
    from autrainer_ext.serving.features import FeatureReader
    from autrainer_ext.serving.forward import choose_device

    device = choose_device(args.device)
    root, files = find_audio_files(args.input, args.extension, args.recursive)
    names = _class_names(Path(args.model))
    reader = FeatureReader(
        model_path=args.model, checkpoint=args.checkpoint, length_seconds=args.length
    )
    network = reader.model.to(device)
    stream = AdaptiveStream(
        network, method=args.method, options=_method_options(args), batch_size=args.batch_size
    )
    if args.resume:
        stream.load_state(torch.load(args.resume, weights_only=True, map_location="cpu"))
    rows, errors, shape = [], [], None
    for file in progress_bar("Predicting", quiet=args.quiet)(files):
        read = reader.read(root, [file])
        errors.append(read.errors)
        if not read.files:
            continue
        shape = shape or read.features.shape
        if read.features.shape != shape:
            raise ValueError(f"File '{file}' has another length than the first one: set --length.")
        logits = stream.predict(read.features.to(device)).cpu()
        predicted = int(logits.argmax())
        rows.append(
            {"filename": file, "prediction": names[predicted] if names else predicted}
            | {"confidence": float(confidence(logits))}
        )
    if not rows:
        raise ValueError(f"None of {len(files)} files can be used.")
    failed = pd.concat(errors)
    _write(args, stream.model, {"predictions": pd.DataFrame(rows)}, failed, stream.state())
    who = "An adapted" if stream.is_adapted else "The original"
    reason = f"{who} model predicts the next file of the stream."
    return Counter(stream.events), reason, len(files), len(failed)


def _class_names(model: Path) -> list[str] | None:
    """Class names of a model directory; None if it states none.

    Raises:
        ValueError: If the model does not predict one of several classes.
    """
    import yaml

    path = model / "target_transform.yaml"
    if not path.is_file():
        return None
    ((kind, settings),) = yaml.safe_load(path.read_text(encoding="utf-8")).items()
    name = kind.split("==")[0].rsplit(".", 1)[-1]
    if name != "LabelEncoder":
        raise ValueError(
            f"Adaptation needs a model with one class per recording, '{model}' has targets of "
            f"type {name}."
        )
    return (settings or {}).get("labels")


def _method_options(args: AdaptArgs) -> dict[str, Any]:
    given = {"learning_rate": args.learning_rate, "parameters": args.parameters}
    options = {name: value for name, value in given.items() if value is not None}
    return options | dict(_setting(text) for text in args.options)


def _setting(text: str) -> tuple[str, Any]:
    import yaml

    name, is_given, value = text.partition("=")
    if not name or not is_given:
        raise ValueError(f"A setting of the method has the form NAME=VALUE, got '{text}'.")
    return name, yaml.safe_load(value)


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


def _tables(adaptation: "Adaptation") -> dict[str, "pd.DataFrame"]:
    """Tables of the decision and of the steps by name."""
    import pandas as pd

    decision = adaptation.decision
    scores = pd.DataFrame(decision.scores)
    is_served = scores["candidate"] == decision.served
    shares = [name for name in scores if name.startswith("share_")]
    for name, error in zip(shares, decision.mix_error.tolist(), strict=True):
        scores[name.replace("share_", "error_", 1)] = error  # of the estimate from the source
    scores.insert(1, "served", is_served)
    scores.insert(2, "reason", is_served.map({True: decision.reason, False: ""}))
    steps = pd.DataFrame(adaptation.steps)
    return {"adaptation": scores, "steps": steps} if len(steps) else {"adaptation": scores}


def _write(
    args: AdaptArgs,
    network: "nn.Module",
    tables: dict[str, "pd.DataFrame"],
    errors: "pd.DataFrame",
    state: dict[str, Any] | None = None,
) -> None:
    """Write the model directory, tables, the unusable files and the state of a stream."""
    from autrainer_ext.atomic import atomic_folder
    from autrainer_ext.serving.audio_files import write_errors
    from autrainer_ext.serving.model_directory import save_tensors
    from autrainer_ext_plugins.writing import write_table

    with atomic_folder(Path(args.output)) as folder:
        for name in DESCRIPTIONS:
            if Path(args.model, name).is_file():
                shutil.copy(Path(args.model, name), folder)
        (folder / "_best").mkdir()
        save_tensors(network.cpu().state_dict(), folder / "_best" / "model.pt")
        for name, table in tables.items():
            write_table(table, folder / f"{name}.csv")
        if state is not None:
            save_tensors(state, folder / "stream.pt")
        write_errors(errors, folder)
