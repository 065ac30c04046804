"""Settings and archives for the tests of data sets."""

import struct
import zipfile

import pytest

from autrainer_ext.compat import batch_sizes


@pytest.fixture(scope="session")
def make_dataset():
    """Make a dataset from audio files: make_dataset(class, folder, target_column, **changes)."""

    def make(dataset, root, target_column, **changes):
        settings = {
            "path": str(root),
            "features_subdir": "default",
            "seed": 1,
            "metrics": ["autrainer.metrics.Accuracy"],
            "tracking_metric": "autrainer.metrics.Accuracy",
            "index_column": "filename",
            "target_column": target_column,
            "file_type": "wav",
            "file_handler": "autrainer.datasets.utils.AudioFileHandler",
            **batch_sizes(4, 4),
        }
        return dataset(**settings | changes)

    return make


@pytest.fixture(scope="session")
def write_split_zip():
    """Write an archive as zip programs split it: write_split_zip(path, members, part_size, large).

    `path` ends in .zip and becomes the last part. `large` writes the records for archives of
    more than 4 GiB, in which places and sizes are elsewhere.
    """
    return _write_split_zip


def _write_split_zip(path, members, part_size, large=False):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(path) as archive:
        infos, start = archive.infolist(), archive.start_dir
    marker = b"PK\7\x08"  # what split archives begin with
    data = marker + path.read_bytes()[:start]
    starts = [info.header_offset + len(marker) for info in infos]
    # fields of a member must not be torn apart, only its content
    ends = range(part_size, len(data), part_size)
    heads = [
        range(begin + 1, begin + 30 + len(i.filename))
        for begin, i in zip(starts, infos, strict=True)
    ]
    cuts = [next((head[0] - 1 for head in heads if end in head), end) for end in ends]
    cuts = [0, *cuts, len(data)]
    directory = b""
    for info, begin in zip(infos, starts, strict=True):
        file = max(i for i, cut in enumerate(cuts[:-1]) if cut <= begin)
        directory += _directory_entry(info, file, begin - cuts[file], large)
    last = len(cuts) - 2
    for number in range(last):
        part = data[cuts[number] : cuts[number + 1]]
        path.with_suffix(f".z{number + 1:02d}").write_bytes(part)
    tail = data[cuts[last] :]
    offset, n = len(tail), len(infos)
    tail += directory
    if large:
        end = struct.pack("<Q2H2I4Q", 44, 45, 45, last, last, n, n, len(directory), offset)
        where = struct.pack("<IQI", last, len(tail), last + 1)
        tail += b"PK\6\6" + end + b"PK\6\7" + where
        last = n = 2**16 - 1
        offset = 2**32 - 1
    end = struct.pack("<4H2IH", last, last, n, n, len(directory), offset, 3)
    path.write_bytes(tail + b"PK\5\6" + end + b"end")


def _directory_entry(info, file, offset, large):
    name, other, comment = info.filename.encode(), struct.pack("<2HI", 0x7875, 4, 7), b"remark"
    full_size, size, extra = info.file_size, info.compress_size, other
    if large:
        extra = other + struct.pack("<2H3QI", 1, 28, full_size, size, offset, file)
        full_size = size = offset = 2**32 - 1
        file = 2**16 - 1
    sizes = struct.pack("<3I3H", info.CRC, size, full_size, len(name), len(extra), len(comment))
    place = struct.pack("<2H2I", file, 0, 0, offset)
    return (
        b"PK\1\2" + struct.pack("<6H", 45, 45, 0, 0, 0, 33) + sizes + place + name + extra + comment
    )
