import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from zipfile import ZipFile

import pytest

from autrainer_ext.datasets.archives import digest, download, unpack

CONTENT = bytes(range(256)) * 40


class Handler(BaseHTTPRequestHandler):
    """Sends CONTENT, from where it is asked to, and breaks off after `patience` bytes."""

    patience = len(CONTENT)
    ranges = True
    asked = ()

    def do_GET(self):
        wanted = self.headers["Range"]
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + self.patience])

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """Start a server with other attributes of Handler: serve(**attributes) -> address, asked."""
    servers = []

    def start(**attributes):
        handler = type("Changed", (Handler,), {"asked": [], **attributes})
        servers.append(HTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/data.zip", handler.asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_digest_is_that_of_the_standard(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # RFC 1321, A.5; FIPS 180-2, B.1
    assert digest(tmp_path / "abc", "md5") == "md5:900150983cd24fb0d6963f7d28e17f72"
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "abc", "sha256") == f"sha256:{expected}"


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_download_is_continued_where_the_server_can(tmp_path, serve, ranges):
    url, asked = serve(patience=4000, ranges=ranges)
    with pytest.raises(OSError, match=r"/data\.zip ended after 4000 of 10240 bytes: fetch again"):
        download(url, tmp_path / "new" / "data.zip")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["data.zip.part"]
    url, asked = serve(ranges=ranges)
    download(url, tmp_path / "new" / "data.zip")
    assert asked == ["bytes=4000-"]
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["data.zip"]
    assert (tmp_path / "new" / "data.zip").read_bytes() == CONTENT


def test_download_interrupted_after_the_last_byte_is_finished(tmp_path, serve):
    url, asked = serve()
    (tmp_path / "data.zip.part").write_bytes(CONTENT)
    download(url, tmp_path / "data.zip")
    assert asked == [f"bytes={len(CONTENT)}-"]
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_file_that_is_there_is_not_asked_for(tmp_path, serve):
    url, asked = serve()
    (tmp_path / "data.zip").write_bytes(b"x")
    download(url, tmp_path / "data.zip", checksum="md5:0")
    assert asked == []


def test_continuation_of_something_else_is_deleted(tmp_path, serve):
    url, _ = serve()
    (tmp_path / "right").write_bytes(CONTENT)
    checksum = digest(tmp_path / "right", "md5")
    (tmp_path / "data.zip.part").write_bytes(b"another version")
    with pytest.raises(OSError, match=f"unexpected checksum: expected {checksum}"):
        download(url, tmp_path / "data.zip", checksum=checksum)
    assert [p.name for p in tmp_path.iterdir()] == ["right"]
    download(url, tmp_path / "data.zip", checksum=checksum)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_missing_file_is_named(tmp_path):
    url = (tmp_path / "gone.zip").as_uri()
    with pytest.raises(OSError, match=r"/gone\.zip cannot be downloaded: .*No such file"):
        download(url, tmp_path / "data.zip")


def make_zip(path, names):
    with ZipFile(path, "w") as archive:
        archive.writestr("a/", "")
        for name in names:
            archive.writestr(name, f"sound of {name}")
    return ZipFile(path)


def test_only_what_is_wanted_is_written(tmp_path):
    names = ["top/a/x.wav", "a/y.wav", "../a/z.wav", "/a/w.wav", "a/../x.wav", "a/x.py"]
    with make_zip(tmp_path / "archive", names) as archive:
        unpack(archive, r"(?:.*/)?(?P<path>a/\w+\.wav)", tmp_path / "in" / "out")
    files = {str(p.relative_to(tmp_path)): p for p in tmp_path.rglob("*") if p.is_file()}
    inside = {f"in/out/a/{letter}.wav" for letter in "xyzw"}
    assert set(files) == {"archive", *inside}
    assert files["in/out/a/x.wav"].read_text() == "sound of top/a/x.wav"
    assert not any(p.is_symlink() for p in tmp_path.rglob("*"))


def test_damaged_member_leaves_no_folder(tmp_path):
    file = tmp_path / "archive"
    make_zip(file, ["a/first.wav", "a/second.wav"]).close()
    file.write_bytes(file.read_bytes().replace(b"sound of a/second", b"noise of a/second"))
    with ZipFile(file) as archive, pytest.raises(OSError, match="damaged: .*CRC-32 .*a/second"):
        unpack(archive, r"(?P<path>a/\w+\.wav)", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


def test_unpacked_folder_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").touch()
    with make_zip(tmp_path / "archive", ["x"]) as archive:
        unpack(archive, r"(?P<path>x)", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["kept"]
