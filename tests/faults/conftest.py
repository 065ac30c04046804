import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

SERVER = Path(__file__).with_name("fork_server.py")


@pytest.fixture(scope="session")
def start():
    """Run a command in a fork: start(arguments, folder, **options) -> exit code, operations."""
    server = subprocess.Popen(
        [sys.executable, str(SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert json.loads(server.stdout.readline()) == "ready"

    def run(arguments, folder, *, script="autrainer_ext_plugins.cli:main", **options):
        job = {
            **dict.fromkeys(("kill_at", "file_size")),
            **options,
            "script": script,
            "arguments": list(map(str, arguments)),
            "folder": str(folder),
            "log": str(Path(folder).with_suffix(".log")),
        }
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()
        answer = json.loads(server.stdout.readline())
        return answer["code"], answer.get("operations")

    yield run
    server.stdin.close()
    server.wait()


@pytest.fixture(scope="session")
def sounds(tmp_path_factory):
    """Four short recordings and one that is no audio."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for index in range(4):
        soundfile.write(folder / f"{index}.wav", rng.normal(0, 0.1, 8000), 16000)
    (folder / "text.wav").write_text("no audio")
    return folder


@pytest.fixture(scope="session")
def contents():
    """Every file of a folder with its bytes, hidden ones too: contents(folder)."""

    def read(folder):
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file()
        }

    return read


@pytest.fixture(scope="session")
def n_kills():
    """Kills per command."""
    return int(os.environ.get("AUTRAINER_EXT_KILLS", "2"))


@pytest.fixture(scope="session")
def n_cases():
    """Cases per reader."""
    return int(os.environ.get("AUTRAINER_EXT_CASES", "60"))
