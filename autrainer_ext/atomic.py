"""Folders and files that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_free(path: Path) -> bool:
    """Whether a folder can be made at `path` without touching anything: nothing or an empty one."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Build a folder beside `path` and rename it to `path` at the end.

    Args:
        path: Folder that does not exist yet, or is empty.

    Yields:
        An empty folder. If the block fails it is removed and `path` is left as it was.

    Raises:
        FileExistsError: If `path` is a file or a folder that holds something.
    """
    if not is_free(path):
        raise FileExistsError(f"'{path}' exists and is not an empty folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp hides it from everybody else
        folder.rename(path)
    except BaseException:
        shutil.rmtree(folder)
        raise


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Write a file beside `path` and rename it to `path` at the end.

    Args:
        path: File to make or to replace; its folder is made if it is missing.

    Yields:
        Path to write to, with the suffix of `path`. If the block fails it is removed and `path`
        is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
