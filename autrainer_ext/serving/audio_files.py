"""Folders of audio: which files there are, and which cannot be read."""

import os


class UnusableFileError(Exception):
    """A file that cannot be predicted; the message says why."""


def collect_files(directory: str, extension: str, recursive: bool = False) -> list[str]:
    """Find what carries the name of an audio file, usable or not.

    Args:
        directory: Folder to search. Links to folders are followed, each folder once.
        extension: Ending with or without its dot; upper and lower case are the same.
        recursive: Whether to search sub-folders too.

    Returns:
        Paths relative to `directory`, sorted. Hidden files and folders are left out.
    """
    ending = "." + extension.lstrip(".").lower()
    found: list[str] = []
    visited = set()
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
    """See to it that there is something to read.

    Args:
        path: Path that carries the name of an audio file.

    Raises:
        UnusableFileError: If it is no file, cannot be read or is empty.
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
