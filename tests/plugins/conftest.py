import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def python(tmp_path):
    """Run a piece of Python in a fresh process, in an empty folder; its output."""

    def run(code: str, *arguments: str, cwd: Path = tmp_path) -> str:
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return run
