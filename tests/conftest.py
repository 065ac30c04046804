"""Shared fixtures: where things are, and the environment of commands run by the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference data beside the checkout; tests that need it are skipped without."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the reference data in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def command():
    """Run a console script of the environment: command(name, *arguments, cwd=..., check=True)."""

    def run(name: str, *arguments: object, cwd: Path, check: bool = True, **environment: str):
        script = Path(sys.executable).with_name(name)
        result = subprocess.run(
            [str(script), *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=900,
        )
        if check and result.returncode != 0:
            pytest.fail(f"{name} {arguments} exited with {result.returncode}:\n{result.stderr}")
        return result

    return run
