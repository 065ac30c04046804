"""Find the audio files of a folder, check them, and list those that cannot be used."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from autrainer_ext.atomic import atomic_file

if TYPE_CHECKING:
    import pandas as pd


class UnusableFileError(Exception):
    """An audio file that cannot be used; the message is the reason, without the file name."""


def collect_files(directory: str, extension: str, recursive: bool = False) -> list[str]:
    """Find all files with the extension of an audio file, usable or not.

    Args:
        directory: Folder to search. Links to folders are followed, each folder once.
        extension: File extension, with or without the dot; case is ignored.
        recursive: Whether to search sub-folders too.

    Returns:
        Paths relative to `directory`, sorted, without hidden files and folders.
    """
    ending = "." + extension.lstrip(".").lower()
    found: list[str] = []
    visited: set[str] = set()
    for folder, folders, files in os.walk(directory, followlinks=True):
        visited.add(os.path.realpath(folder))
        names = [name for name in folders + files if not name.startswith(".")]
        found += [
            os.path.relpath(os.path.join(folder, name), directory)
            for name in names
            if name.lower().endswith(ending)
        ]
        folders[:] = [
            name
            for name in folders
            if recursive
            and not name.startswith(".")
            and os.path.realpath(os.path.join(folder, name)) not in visited
        ]
    return sorted(found)


def check_file(path: str) -> None:
    """Check that a path is a readable file that is not empty.

    Args:
        path: Path of an audio file.

    Raises:
        UnusableFileError: If the path is not a regular file, cannot be read or is empty.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in path):
        raise UnusableFileError("its name is not valid text")
    if not os.path.exists(path):
        raise UnusableFileError("broken link" if os.path.islink(path) else "vanished")
    if not os.path.isfile(path):
        raise UnusableFileError("a folder" if os.path.isdir(path) else "not a regular file")
    if not os.access(path, os.R_OK):
        raise UnusableFileError("no permission to read it")
    if os.path.getsize(path) == 0:
        raise UnusableFileError("empty (0 bytes)")


def error_table(files: Iterable[str], reasons: Mapping[str, str]) -> "pd.DataFrame":
    """Table of the files that cannot be used.

    Args:
        files: All files, in the order of the result.
        reasons: Reason for each file that cannot be used.

    Returns:
        One row per unusable file, columns `filename` and `reason`.
    """
    import pandas as pd

    rows = [(file, reasons[file]) for file in files if file in reasons]
    return pd.DataFrame(rows, columns=["filename", "reason"])


def write_errors(errors: "pd.DataFrame", folder: Path | str) -> None:
    """Write `errors.csv`, or remove an earlier one if there are no errors.

    Args:
        errors: Table with one row per unusable file, as returned by `error_table`. Bytes of a file
            name that are not valid text are written as escape sequences.
        folder: Existing folder.
    """
    path = Path(folder, "errors.csv")
    if errors.empty:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as part:
        errors.to_csv(part, index=False, errors="backslashreplace")
