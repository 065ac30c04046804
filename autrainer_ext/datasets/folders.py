"""Dataset folders: whether they are complete, and files without copies."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from autrainer_ext.atomic import is_free


def is_built(path: Path, tables: list[str]) -> bool:
    """Whether a dataset folder exists already.

    Args:
        path: Dataset folder.
        tables: Names of its tables, each with a column `filename` of files in `default/`.

    Returns:
        False if there is nothing at `path`, True if the folder is complete.

    Raises:
        FileExistsError: If a table or a file of a table is missing in a folder that is not
            empty: nothing is ever added to it.
    """
    if is_free(path):
        return False
    for table in tables:
        if not (path / table).is_file():
            raise _incomplete(path, table)
        for name in pd.read_csv(path / table)["filename"]:
            if not (path / "default" / name).is_file():
                raise _incomplete(path, f"default/{name}")
    return True


def _incomplete(path: Path, missing: str) -> FileExistsError:
    return FileExistsError(f"'{path}' lacks '{missing}': delete the folder, then fetch again.")


def link(names: Iterable[str], source: Path, target: Path) -> None:
    """Put files into a folder without taking disk space for them, where that is possible.

    Args:
        names: Paths relative to both folders; their parents exist in `target`.
        source: Folder that holds the files.
        target: Folder that gets hard links to them, or copies if it is on another disk.
    """
    for name in names:
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)
