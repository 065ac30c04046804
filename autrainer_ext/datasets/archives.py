"""Archives of data sets: fetched piece by piece, checked, and unpacked whole or not at all."""

import hashlib
import re
import shutil
from http import HTTPStatus
from pathlib import Path
from urllib.request import Request, urlopen
from zipfile import ZipFile

from tqdm import tqdm

from autrainer_ext.atomic import atomic_folder, is_free

_PIECE = 2**20
_PATIENCE_SECONDS = 60


def download(url: str, path: Path, *, checksum: str | None = None) -> None:
    """Download a file, unless it is there already.

    What an interruption left behind, `path` with `.part` added, is continued where the server
    can do that, and replaced where it cannot.

    Args:
        url: Address of the file, http, https or file.
        path: Where it appears, complete and checked. Missing parents are made.
        checksum: Algorithm of hashlib and digest, as "md5:1b2m...". Default: nothing but the
            size announced by the server is checked.

    Raises:
        OSError: If the address does not answer or breaks off, or if the checksum is another
            one; what was received is deleted in the last case only.
    """
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _receive(url, part)
    if checksum is not None and digest(part, checksum.partition(":")[0]) != checksum:
        part.unlink()
        raise OSError(f"{url} sent something else than expected, its checksum is not {checksum}.")
    part.rename(path)


def digest(path: Path, algorithm: str) -> str:
    """Checksum of a file in the form "algorithm:digest"."""
    sums = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            sums.update(piece)
    return f"{algorithm}:{sums.hexdigest()}"


def unpack(archive: ZipFile, pattern: str, folder: Path) -> None:
    """Write the files with matching names to a folder, unless it is there already.

    Args:
        archive: The archive. Nothing but the bytes is taken: no links, no permissions.
        pattern: Regular expression for whole names. Its group `path` is the path inside
            `folder` and must not match anything that leads out of it.
        folder: Appears complete or not at all.
    """
    if not is_free(folder):
        return
    with atomic_folder(folder) as inside:
        for name in tqdm(archive.namelist(), desc=folder.parent.name, unit=" files"):
            if match := re.fullmatch(pattern, name):
                target = inside / match["path"]
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file, _PIECE)


def _receive(url: str, part: Path) -> None:
    done = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urlopen(request, timeout=_PATIENCE_SECONDS)
    except OSError as error:
        if getattr(error, "code", None) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # interrupted after the last byte
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
        raise OSError(f"{url} ended after {received} of {total} bytes: fetch again to go on.")
