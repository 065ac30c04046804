"""Atomic writing: folders and files appear complete or not at all.

Both are written under a hidden name beside their place, which holds the process that writes them.
What a killed process leaves behind is removed by `remove_leftovers`, which the commands call before
they write. What a living process writes, or a process of another machine, stays.
"""

import errno
import hashlib
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # has no type information

_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_TEMPORARY = re.compile(r"\.(?:part|inference)-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}(?:\..*)?")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)
_CLOCK_SECONDS = 5  # start times of processes change with the clock of the machine


class UnwritableError(OSError):
    """A file or folder that cannot be written: the disk is full, read-only or taken."""


def is_free(path: Path) -> bool:
    """Check that `path` does not exist, or is a folder with nothing but temporary content."""
    if not path.is_dir():
        return not path.exists()
    return all(is_temporary(inside) for inside in path.iterdir())


def is_temporary(path: Path) -> bool:
    """Check that the name of a path is one that `temporary_path` chose, in any process."""
    return _TEMPORARY.fullmatch(path.name) is not None


def temporary_path(folder: Path, suffix: str = "", *, kind: str = "part") -> Path:
    """Choose a hidden path for something unfinished that this process writes.

    Args:
        folder: Folder of the path.
        suffix: Ending of the name, such as ".csv".
        kind: First part of the name: "part", or "inference" for predictions.

    Returns:
        Path that does not exist.
    """
    process = psutil.Process()
    start = round(process.create_time())
    return folder / f".{kind}-{_MACHINE}-{process.pid}-{start}-{uuid.uuid4().hex[:8]}{suffix}"


def is_abandoned(path: Path) -> bool:
    """Check that a path is a temporary one of a process of this machine that has ended."""
    match = _TEMPORARY.fullmatch(path.name)
    if match is None or match[1] != _MACHINE:
        return False
    try:
        process = psutil.Process(int(match[2]))
        is_other = abs(process.create_time() - int(match[3])) > _CLOCK_SECONDS
        return is_other or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def remove_leftovers(folder: Path, *, recursive: bool = False) -> None:
    """Remove what killed processes left in a folder.

    Args:
        folder: Folder in which files or folders are about to be written; it may be missing.
        recursive: Whether to search sub-folders too.
    """
    names = folder.rglob(".part-*") if recursive else folder.glob(".part-*")
    for path in list(names):
        if is_abandoned(path):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, as far as permitted."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Write a folder under a temporary name beside `path` and rename it when complete.

    Args:
        path: Folder that does not exist yet, or is empty.

    Yields:
        Empty temporary folder. If the block fails, it is removed and `path` is unchanged.

    Raises:
        FileExistsError: If `path` is a file or a folder that is not empty.
        UnwritableError: If the folder cannot be written; the message names `path`.
    """
    if not is_free(path):
        raise FileExistsError(f"'{path}' exists and is not an empty folder.")
    remove_leftovers(path)
    folder = temporary_path(path.parent)
    try:
        with naming(path, folder):
            folder.mkdir(parents=True)
            yield folder
            folder.rename(path)
    except BaseException:
        remove(folder)
        raise


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name beside `path` and rename it when complete.

    Args:
        path: File to create or replace. Its folder is created if it is missing.

    Yields:
        Temporary path to write to, with the suffix of `path`. If the block fails, the temporary
        file is removed and `path` is unchanged.

    Raises:
        UnwritableError: If the file cannot be written; the message names `path`.
    """
    part = temporary_path(path.parent, path.suffix)
    try:
        with naming(path, part):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield part
            part.replace(path)
    finally:
        remove(part)


@contextmanager
def naming(path: Path, part: Path) -> Iterator[None]:
    """Name a path in errors of the disk, which else name the temporary one or nothing.

    Args:
        path: File or folder as the user knows it.
        part: Temporary path that is written instead.

    Raises:
        UnwritableError: If the disk is full or `part` cannot be written; other errors pass.
    """
    try:
        yield
    except OSError as error:
        file = error.filename and Path(os.fsdecode(error.filename))
        is_ours = file and (file == path.parent or part in (file, *file.parents))
        is_short = error.errno is None and "written" in str(error)  # NumPy, on a full disk
        if not (is_ours or is_short or error.errno in _FULL):
            raise
        if path.parent.exists() and not path.parent.is_dir():
            reason = f"'{path.parent}' is not a folder"
        elif error.errno in _TAKEN:
            reason = "another process wrote it"
        else:
            reason = error.strerror or f"the disk is full, {error}"
        kind = OSError if error.errno == errno.ENAMETOOLONG else UnwritableError
        raise kind(f"'{path}' cannot be written: {reason}.") from error
