"""Atomic writing: folders and files appear complete or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_free(path: Path) -> bool:
    """Check that `path` does not exist or is an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Write a folder under a temporary name beside `path` and rename it when complete.

    Args:
        path: Folder that does not exist yet, or is empty.

    Yields:
        Empty temporary folder. If the block fails, it is removed and `path` is unchanged.

    Raises:
        FileExistsError: If `path` is a file or a folder that is not empty.
    """
    if not is_free(path):
        raise FileExistsError(f"'{path}' exists and is not an empty folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp makes it private
        folder.rename(path)
    except BaseException:
        shutil.rmtree(folder)
        raise


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name beside `path` and rename it when complete.

    Args:
        path: File to create or replace. Its folder is created if it is missing.

    Yields:
        Temporary path to write to, with the suffix of `path`. If the block fails, the temporary
        file is removed and `path` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
