"""Dataset folders: check of completeness, and hard links instead of copies."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from autrainer_ext.atomic import is_free


def is_built(path: Path, tables: list[str]) -> bool:
    """Check whether a dataset folder exists and is complete.

    Args:
        path: Dataset folder.
        tables: File names of its tables. Their column `filename` lists files in `default/`.

    Returns:
        False if there is nothing at `path`, True if the folder is complete.

    Raises:
        FileExistsError: If the folder is not empty and lacks a table or a listed file. Existing
            folders are never completed.
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
    return FileExistsError(
        f"Dataset folder '{path}' lacks '{missing}': delete the folder, then fetch again."
    )


def link(names: Iterable[str], source: Path, target: Path) -> None:
    """Link files into another folder, or copy them if it is on another disk.

    Args:
        names: Paths relative to both folders. Their parent folders must exist in `target`.
        source: Folder of the existing files.
        target: Folder of the new hard links or copies.
    """
    for name in names:
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)
