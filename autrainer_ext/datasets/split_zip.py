"""Reading of split zip archives: NAME.z01, NAME.z02, ... and NAME.zip.

The directory of a split archive addresses each member by a file number and an offset in that
file. zipfile does not support that, even if the files are concatenated. This module presents the
files as one file with a rewritten directory of absolute offsets, without copying the data. The
records are defined in PKWARE's APPNOTE 6.3.10, section 4.3.
"""

import io
import os
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zipfile import BadZipFile, ZipFile

if TYPE_CHECKING:
    from typing_extensions import Buffer

_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_EXTRA = struct.Struct("<2H")
_EXTRA_64 = struct.Struct("<2H3Q")
_LONGEST_COMMENT = 2**16
_MOST_FILES = 2**16
# Values that refer to the 64-bit records.
_LARGE_16, _LARGE_32 = 2**16 - 1, 2**32 - 1


@contextmanager
def open_split_zip(last: Path) -> Iterator[ZipFile]:
    """Open a split archive for reading.

    Args:
        last: Last file of the archive, NAME.zip, with the others beside it; possibly the only one.

    Yields:
        The archive. zipfile verifies checksums as usual.

    Raises:
        FileNotFoundError: If one of the files is missing.
        BadZipFile: If `last` is not the end of an archive, or the archive is damaged.
    """
    with ExitStack() as stack:
        try:
            archive = _open(last, stack)
        except (OSError, BadZipFile):
            raise
        except Exception as error:  # numbers that lead nowhere: struct.error, IndexError, ...
            raise BadZipFile(f"The directory of the archive '{last}' is damaged.") from error
        yield archive


def _open(last: Path, stack: ExitStack) -> ZipFile:
    """Open all files of a split archive as one archive."""
    end, locator = _read_end(last)
    n_files = locator[3] if locator else end[1] + 1
    if n_files > _MOST_FILES:
        raise BadZipFile(f"'{last}' states that the archive has {n_files} files.")
    names = [*(last.with_suffix(f".z{number:02d}") for number in range(1, n_files)), last]
    files = [stack.enter_context(name.open("rb")) for name in names]
    sizes = [file.seek(0, os.SEEK_END) for file in files]
    *starts, total = accumulate(sizes, initial=0)
    chain = io.BufferedReader(_Chain(files, sizes))
    if locator:
        chain.seek(starts[locator[1]] + locator[2])
        *_, file, _, _, length, offset = _END_64.unpack(chain.read(_END_64.size))
    else:
        _, _, file, _, _, length, offset, _ = end
    start = starts[file] + offset
    if start + length > total:
        raise BadZipFile(f"The directory of the archive '{last}' is damaged.")
    chain.seek(start)
    directory = _one_file_directory(chain.read(length), starts, start)
    sizes[file:] = [offset] + [0] * (n_files - file - 1)  # excludes the old directory
    whole = _Chain([*files, io.BytesIO(directory)], [*sizes, len(directory)])
    return stack.enter_context(ZipFile(io.BufferedReader(whole)))


class _Chain(io.RawIOBase):
    """Concatenation of the first bytes of several files, read as one file."""

    def __init__(self, files: Sequence[BinaryIO], sizes: Sequence[int]) -> None:
        self.files = files
        *self.starts, self.size = accumulate(sizes, initial=0)
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.size}[whence]
        self.position = base + offset
        return self.position

    def readinto(self, buffer: "Buffer") -> int:
        if self.position >= self.size:
            return 0
        index = bisect_right(self.starts, self.position) - 1
        end = [*self.starts[1:], self.size][index]
        self.files[index].seek(self.position - self.starts[index])
        view = memoryview(buffer).cast("B")
        data = self.files[index].read(min(len(view), end - self.position))
        view[: len(data)] = data
        self.position += len(data)
        return len(data)


def _read_end(last: Path) -> tuple[tuple, tuple | None]:
    """Read the end record of an archive and the locator of its 64-bit end record, if any."""
    with open(last, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LONGEST_COMMENT - _END.size - _LOCATOR_64.size))
        tail = file.read()
    at = tail.rfind(b"PK\5\6", 0, len(tail) - _END.size + 4)
    if at < 0:
        raise BadZipFile(f"'{last}' is not the end of a zip archive.")
    end = _END.unpack_from(tail, at)
    at -= _LOCATOR_64.size
    has_locator = at >= 0 and tail[at : at + 4] == b"PK\6\7"
    return end, _LOCATOR_64.unpack_from(tail, at) if has_locator else None


def _one_file_directory(directory: bytes, starts: Sequence[int], start: int) -> bytes:
    """Rewrite the directory and end record of a split archive for a single file.

    Args:
        directory: All entries of the split archive.
        starts: Offset of every file in the single file.
        start: Offset of the directory in the single file.
    """
    entries = [_with_offset_in_one_file(*entry, starts) for entry in _entries(directory)]
    size = sum(map(len, entries))
    n = len(entries)
    end_64 = _END_64.pack(b"PK\6\6", _END_64.size - 12, 45, 45, 0, 0, n, n, size, start)
    locator = _LOCATOR_64.pack(b"PK\6\7", 0, start + size, 1)
    end = _END.pack(b"PK\5\6", 0, 0, _LARGE_16, _LARGE_16, _LARGE_32, _LARGE_32, 0)
    return b"".join([*entries, end_64, locator, end])


def _entries(directory: bytes) -> Iterator[tuple[tuple, bytes, bytes, bytes]]:
    """Iterate over the fixed fields, name, extra fields and comment of every member."""
    at = 0
    while at < len(directory):
        fields = _ENTRY.unpack_from(directory, at)
        if fields[0] != b"PK\1\2":
            raise BadZipFile("The directory of the archive is damaged.")
        name, extra, comment, at = accumulate(fields[10:13], initial=at + _ENTRY.size)
        yield fields, directory[name:extra], directory[extra:comment], directory[comment:at]


def _with_offset_in_one_file(
    fields: tuple, name: bytes, extra: bytes, comment: bytes, starts: Sequence[int]
) -> bytes:
    full_size, size, offset, file = fields[9], fields[8], fields[16], fields[13]
    others = b""
    while len(extra) >= _EXTRA.size:
        kind, length = _EXTRA.unpack_from(extra)
        field, extra = extra[: _EXTRA.size + length], extra[_EXTRA.size + length :]
        if kind != 1:
            others += field
            continue
        values = io.BytesIO(field[_EXTRA.size :])
        if full_size == _LARGE_32:
            full_size = int.from_bytes(values.read(8), "little")
        if size == _LARGE_32:
            size = int.from_bytes(values.read(8), "little")
        if offset == _LARGE_32:
            offset = int.from_bytes(values.read(8), "little")
        if file == _LARGE_16:
            file = int.from_bytes(values.read(4), "little")
    large = _EXTRA_64.pack(1, 24, full_size, size, starts[file] + offset) + others
    lengths = (len(name), len(large), len(comment))
    packed = _ENTRY.pack(*fields[:8], _LARGE_32, _LARGE_32, *lengths, 0, *fields[14:16], _LARGE_32)
    return packed + name + large + comment
