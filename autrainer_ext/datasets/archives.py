"""Download of archives with resumption and checksums, and atomic unpacking."""

import hashlib
import re
import shutil
from http import HTTPStatus
from pathlib import Path
from urllib.request import Request, urlopen
from zipfile import ZipFile

from tqdm import tqdm

from autrainer_ext.atomic import atomic_folder, is_free, remove_leftovers

from .folders import check_inside

_PIECE = 2**20
_LARGEST_RATIO = 20  # recordings shrink to a tenth at most, where they are not silent
_PATIENCE_SECONDS = 60


def download(url: str, path: Path, *, checksum: str | None = None) -> None:
    """Download a file unless it exists.

    An interrupted download (`path` with `.part` added) is resumed if the server supports it, and
    restarted otherwise.

    Args:
        url: URL of the file: http, https or file.
        path: Path of the complete, checked file. Missing parent folders are created.
        checksum: hashlib algorithm and digest, as "md5:1b2m...". Default: only the size
            announced by the server is checked.

    Raises:
        OSError: If the server does not respond, the connection breaks off or the checksum
            differs. Only in the last case the partial download is deleted.
    """
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _receive(url, part)
    if checksum is not None and digest(part, checksum.partition(":")[0]) != checksum:
        part.unlink()
        raise OSError(f"{url} has an unexpected checksum: expected {checksum}.")
    part.rename(path)


def digest(path: Path, algorithm: str) -> str:
    """Compute the checksum of a file in the form "algorithm:digest"."""
    sums = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            sums.update(piece)
    return f"{algorithm}:{sums.hexdigest()}"


def unpack(archive: ZipFile, pattern: str, folder: Path) -> None:
    """Extract the members with matching names to a folder, unless the folder exists.

    Args:
        archive: Open archive. Only file contents are extracted, no links or permissions.
        pattern: Regular expression for full member names. Its group `path` is the path inside
            `folder`.
        folder: New folder. It appears complete or not at all.

    Raises:
        OSError: If a member is damaged, or the members are far larger than recordings can be.
        ValueError: If a member leads out of the folder.
    """
    if not is_free(folder):
        return
    remove_leftovers(folder.parent)
    check_sizes(archive)
    with atomic_folder(folder) as inside:
        for name in tqdm(archive.namelist(), desc=folder.parent.name, unit=" files"):
            if match := re.fullmatch(pattern, name):
                check_inside(match["path"])
                extract(archive, name, inside / match["path"])


def check_sizes(archive: ZipFile) -> None:
    """Check that an archive does not unpack to far more than recordings do.

    Args:
        archive: Open archive.

    Raises:
        OSError: If the members are more than 20 times as large as in the archive.
    """
    members = archive.infolist()
    packed = sum(member.compress_size for member in members)
    size = sum(member.file_size for member in members)
    if size > _LARGEST_RATIO * packed + _PIECE:
        raise OSError(
            f"Archive '{archive.filename}' of {packed} bytes would unpack to {size} bytes, "
            f"expected at most {_LARGEST_RATIO} times as many."
        )


def extract(archive: ZipFile, name: str, target: Path) -> None:
    """Extract one member; zipfile compares its size and checksum with the archive.

    Args:
        archive: Open archive.
        name: Name of the member.
        target: File to create. Its parent folders are created.

    Raises:
        OSError: If the member is damaged, encrypted or packed by an unknown method.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as file:
        try:
            with archive.open(name) as source:
                shutil.copyfileobj(source, file, _PIECE)
        except OSError:
            raise
        except Exception as error:  # zipfile and its decompressors raise many kinds
            raise OSError(f"Member '{name}' of the archive is damaged: {error}") from error


def _receive(url: str, part: Path) -> None:
    done = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urlopen(request, timeout=_PATIENCE_SECONDS)
    except OSError as error:
        if getattr(error, "code", None) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the interrupted download was already complete
        raise OSError(f"{url} cannot be downloaded: {error}") from error
    with response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            done = 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with (
            open(part, "ab" if done else "wb") as file,
            tqdm.wrapattr(response, "read", total=total, initial=done, desc=part.stem) as body,
        ):
            shutil.copyfileobj(body, file, _PIECE)
    received = part.stat().st_size
    if total and received < total:
        raise OSError(f"{url} ended after {received} of {total} bytes: fetch again to resume.")
