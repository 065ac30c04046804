"""Dataset folders: check of completeness, and hard links instead of copies."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from autrainer_ext.atomic import is_free, remove_leftovers
from autrainer_ext.errors import unknown_name


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
    remove_leftovers(path.parent)
    if is_free(path):
        return False
    for table in tables:
        if not (path / table).is_file():
            raise _incomplete(path, table)
        for name in read_csv(path / table, ["filename"])["filename"]:
            check_inside(name)
            if not (path / "default" / name).is_file():
                raise _incomplete(path, f"default/{name}")
    return True


def _incomplete(path: Path, missing: str) -> FileExistsError:
    return FileExistsError(
        f"Dataset folder '{path}' lacks '{missing}': delete the folder, then fetch again."
    )


def read_csv(
    path: Path | str,
    columns: Iterable[str] = (),
    **options: Any,  # noqa: ANN401  passed on
) -> pd.DataFrame:
    """Read a table that others wrote.

    Args:
        path: CSV file.
        columns: Required columns.
        **options: Options of `pandas.read_csv`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not a table or lacks a column; the message names it.
    """
    try:
        table = pd.read_csv(path, **options)
    except OSError:
        raise
    except Exception as error:  # pandas and its parsers raise many kinds
        reason = " ".join(str(error).split())
        raise ValueError(f"File '{path}' is not a CSV table: {reason}") from error
    for column in columns:
        if column not in table:
            raise unknown_name("column", column, table, where=f"'{path}'")
    return table


def check_inside(name: object) -> None:
    """Check that a name from a table or archive stays in the folder to which it is relative.

    Args:
        name: Relative path, which others wrote.

    Raises:
        ValueError: If the name is empty or no text, absolute, or leads out of its folder.

    Example:
        >>> check_inside("audio/1.wav")
    """
    is_path = isinstance(name, str) and name.strip() and "\0" not in name
    path = PurePosixPath(str(name).replace("\\", "/"))
    if not is_path or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ValueError(f"File name '{name}' leads out of the data set.")


def link(names: Iterable[str], source: Path, target: Path) -> None:
    """Link files into another folder, or copy them if it is on another disk.

    Args:
        names: Paths relative to both folders. Their parent folders must exist in `target`.
        source: Folder of the existing files.
        target: Folder of the new hard links or copies.

    Raises:
        ValueError: If a path leads out of the folders.
    """
    for name in names:
        check_inside(name)
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)
