"""Options, checks and input files that several commands share.

The checks raise a `ValueError` with the message for the user; `reporting_errors` turns it into the
error of a command line.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autrainer.core.scripts import CommandLineError

from autrainer_ext.atomic import is_free, is_temporary, remove_leftovers
from autrainer_ext.configurations import configuration_names, find_configuration
from autrainer_ext.errors import unknown_name
from autrainer_ext.serving.audio_files import collect_files
from autrainer_ext.style import STYLE_SETTINGS


def positive_int(text: str) -> int:
    """Parse a whole number that is at least 1.

    Args:
        text: Text of the argument.

    Raises:
        argparse.ArgumentTypeError: If the text is anything else.

    Example:
        >>> positive_int("32")
        32
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)


_OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "input": (
        ("input",),
        {"nargs": "+", "help": "Audio files, and folders of audio files."},
    ),
    "checkpoint": (
        ("-c", "--checkpoint"),
        {
            "default": "_best",
            "metavar": "C",
            "help": "Folder of the weights in the model directory. Default: _best.",
        },
    ),
    "extension": (
        ("-e", "--extension"),
        {
            "default": "wav",
            "metavar": "E",
            "help": "Extension of files in folders. Default: wav.",
        },
    ),
    "recursive": (
        ("-r", "--recursive"),
        {"action": "store_true", "help": "Search sub-folders too."},
    ),
    "seed": (
        ("--seed",),
        {
            "type": int,
            "default": 0,
            "metavar": "S",
            "help": "Seed of all random draws. Default: 0.",
        },
    ),
    "batch_size": (
        ("-b", "--batch-size"),
        {
            "type": positive_int,
            "metavar": "B",
            "help": "Most inputs per forward pass of the network. Default: as many as fit.",
        },
    ),
    "device": (
        ("--device",),
        {
            "default": "auto",
            "metavar": "D",
            "help": "Device of the network: cpu, cuda, cuda:N or mps.\n"
            "Default: auto, a GPU if there is one.",
        },
    ),
    "overwrite": (
        ("--overwrite",),
        {
            "action": "store_true",
            "help": "Replace earlier results in an output folder that contains nothing else.",
        },
    ),
    "column_width": (
        ("--column-width",),
        {"type": float, "metavar": "MM", "help": "Width of figures in mm. Default: 85."},
    ),
    "font_size": (
        ("--font-size",),
        {"type": float, "metavar": "PT", "help": "Font size of figures in pt. Default: 7."},
    ),
    "quiet": (("-q", "--quiet"), {"action": "store_true", "help": "Print only errors."}),
}


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add shared options to a command.

    Args:
        parser: Parser of the command.
        names: Names of options: "input", "checkpoint", "extension", "recursive", "seed",
            "batch_size", "device", "overwrite", "column_width", "font_size" or "quiet".
    """
    for name in names:
        flags, settings = _OPTIONS[name]
        parser.add_argument(*flags, **settings)


def style_settings(args: object) -> dict[str, float]:
    """Settings of the style of figures that the user gave.

    Args:
        args: Arguments of a command with the options "column_width" and "font_size".

    Returns:
        Values by the names of the attributes of `autrainer_ext.style.Style`.
    """
    given = {name: getattr(args, name) for name in STYLE_SETTINGS}
    return {name: value for name, value in given.items() if value is not None}


def replace_help(parser: argparse.ArgumentParser, texts: dict[str, str]) -> None:
    """Replace the help texts of arguments that a command inherits from the host.

    Args:
        parser: Parser of the command.
        texts: Help text for each name of an argument. Arguments that are left out keep the text of
            the host; names of shared options of `add_options` may have an empty text, for theirs.
    """
    for action in parser._actions:
        if action.dest in texts:
            action.help = texts[action.dest] or _OPTIONS[action.dest][1]["help"]


def complete(
    parser: argparse.ArgumentParser, argument: str, names: Callable[..., Iterable[str]]
) -> None:
    """Let the shell complete an argument.

    Args:
        parser: Parser of the command.
        argument: Name of the argument.
        names: Function that lists the values, called with the keyword arguments of argcomplete:
            `parsed_args` are the arguments so far.
    """
    for action in parser._actions:
        if action.dest == argument:
            vars(action)["completer"] = names


@contextmanager
def reporting_errors(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Raise the errors of a block as errors of the command line, with exit code 1.

    Args:
        parser: Parser of the command.

    Raises:
        CommandLineError: If the block raises `ValueError` or `OSError`.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        message = " ".join(str(error).split())
        raise CommandLineError(parser, message, code=1) from error


def check_model(directory: Path | str, checkpoint: str) -> None:
    """Check that a model directory exists and has a checkpoint.

    Args:
        directory: Run or model directory.
        checkpoint: Folder of the weights in that directory.

    Raises:
        ValueError: If the directory, the weights or the description of the network is missing.
    """
    if not Path(directory).is_dir():
        raise ValueError(f"Model directory '{directory}' does not exist.")
    weights = Path(directory, checkpoint, "model.pt")
    if not weights.is_file():
        raise ValueError(f"Checkpoint '{weights}' does not exist.")
    if not Path(directory, "model.yaml").is_file():
        raise ValueError(f"Model directory '{directory}' has no model.yaml.")


def is_exported(model: str) -> bool:
    """Check that a model is named as an exported file, not as a model directory."""
    return model.endswith(".onnx")


def check_inputs(inputs: Iterable[Path | str]) -> None:
    """Check that the inputs exist.

    Args:
        inputs: Audio files and folders of audio files.

    Raises:
        ValueError: If one of them does not exist or cannot be read.
    """
    for path in inputs:
        if not Path(path).exists():
            raise ValueError(f"Input '{path}' does not exist.")
        if Path(path).is_dir() and not os.access(path, os.R_OK | os.X_OK):
            raise ValueError(f"Input '{path}' cannot be read: permission denied.")


def find_audio_files(
    inputs: Sequence[Path | str], extension: str, recursive: bool
) -> tuple[Path, list[str]]:
    """Find the audio files of all inputs.

    Args:
        inputs: Existing audio files, of any extension, and folders.
        extension: Extension of the files in folders.
        recursive: Whether to search sub-folders too.

    Returns:
        Folder that contains all of them, and paths relative to it, sorted, without repetition; at
        least one.

    Raises:
        ValueError: If there are no such files.
    """
    if len(inputs) == 1 and Path(inputs[0]).is_dir():
        root = Path(inputs[0])
        files = collect_files(str(root), extension, recursive)
    else:
        paths = [os.path.abspath(path) for path in inputs]
        folders = [path if os.path.isdir(path) else os.path.dirname(path) for path in paths]
        root = Path(os.path.commonpath(folders))
        found = [path for path in paths if not os.path.isdir(path)]
        for folder in filter(os.path.isdir, paths):
            names = collect_files(folder, extension, recursive)
            found += [os.path.join(folder, name) for name in names]
        files = sorted({os.path.relpath(path, root) for path in found})
    if not files:
        where = ", ".join(f"'{path}'" for path in inputs)
        raise ValueError(f"No '{extension}' files found in {where}.")
    return root, files


def find_preprocessing(name: str) -> str | None:
    """Find a preprocessing configuration.

    Args:
        name: Name of the configuration, path of a YAML file, "default" for the configuration of
            the model, or "None" for no preprocessing.

    Returns:
        Path of the file; "default" and None for these two names.

    Raises:
        ValueError: If the configuration does not exist.
    """
    if name in ("default", "None"):
        return name if name == "default" else None
    as_path = Path(name if name.endswith(".yaml") else f"{name}.yaml")
    path = as_path if as_path.is_file() else find_configuration("preprocessing", name)
    if path is None:
        known = ("default", "None", *configuration_names("preprocessing"))
        raise unknown_name("preprocessing configuration", name, known)
    return str(path)


def check_free(output: Path | str) -> None:
    """Check that nothing would be overwritten.

    Args:
        output: Folder to create.

    Raises:
        ValueError: If it is a file or a folder that is not empty.
    """
    remove_leftovers(Path(output).parent)
    if not is_free(Path(output)):
        raise ValueError(f"Output '{output}' exists and is not an empty folder: choose another.")


def earlier_results(output: Path, overwrite: bool, is_result: Callable[[Path], bool]) -> list[Path]:
    """Find the results in the output folder that a command is going to replace.

    Args:
        output: Folder to create or to write to.
        overwrite: Whether earlier results may be replaced.
        is_result: Whether a file, given by its path in the folder, may be an earlier result.

    Returns:
        Files to replace; none if the folder is new or empty.

    Raises:
        ValueError: If the output is a file, contains results that may not be replaced, or contains
            any file that is not an earlier result.
    """
    remove_leftovers(output, recursive=True)
    if is_free(output):
        return []
    if not output.is_dir():
        raise ValueError(f"Output '{output}' is not a folder.")
    if not overwrite:
        raise ValueError(
            f"Output folder '{output}' is not empty: choose another, or add --overwrite."
        )
    entries = [entry for entry in output.iterdir() if not is_temporary(entry)]
    within = [path for entry in entries for path in (entry, *entry.rglob("*"))]
    files = sorted(path for path in within if not path.is_dir())
    for file in files:
        name = file.relative_to(output)
        if not is_result(name):
            raise ValueError(
                f"Output folder '{output}' contains '{name}', which is not an earlier result: "
                "choose another folder."
            )
    return files


def read_class_list(path: Path | str) -> list[str]:
    """Read class names from a text file with one name per line.

    Args:
        path: Text file; empty lines are ignored.

    Raises:
        ValueError: If the file does not exist or contains no names.
    """
    if not Path(path).is_file():
        raise ValueError(f"File of class names '{path}' does not exist.")
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"File of class names '{path}' is not text in UTF-8.") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f"File of class names '{path}' is empty.")
    return names


def progress_bar(
    description: str, *, quiet: bool, miniters: int | None = None
) -> Callable[[Iterable[str]], Iterable[str]]:
    """Make a function that shows how many files of a sequence are done.

    Args:
        description: Text before the bar.
        quiet: Whether to show nothing.
        miniters: Minimum number of files between two updates. Default: chosen by tqdm.

    Returns:
        Function that wraps a sequence of files.
    """
    from tqdm import tqdm

    return lambda files: tqdm(
        files, desc=description, unit="file", miniters=miniters, disable=quiet
    )
