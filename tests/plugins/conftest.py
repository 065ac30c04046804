import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from autrainer_ext.serving.shards import Shard, Shards


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


class ThreeShards(Shards):
    """Three shards, one after the other in this process, by way of files."""

    has_bar = True

    def __init__(self, folder):
        self.folder = folder

    def map(self, compute, items, *, name="Shards"):
        (self.folder / "results").mkdir(parents=True)
        (self.folder / "items.pickle").write_bytes(pickle.dumps(list(items)))
        for index in range(3):
            with pytest.raises(SystemExit) as ended:
                Shard(index, 3, self.folder).map(compute, [])
            assert ended.value.code == 0
        paths = [self.folder / f"results/{number}.pickle" for number in range(len(items))]
        return iter([pickle.loads(path.read_bytes()) for path in paths])


@pytest.fixture
def three_shards(tmp_path_factory):
    """Value of the attribute `shards` of plugins that divides their work."""
    return ThreeShards(tmp_path_factory.mktemp("shards"))


class Ended:
    """Job that has ended."""

    def __init__(self, code):
        self.code = code

    def poll(self):
        return self.code

    def kill(self):
        raise AssertionError("It has ended.")


@pytest.fixture
def shards_here(monkeypatch):
    """Run the shards of the option -j in this process; the arguments of those that were started."""
    from autrainer.core.scripts.cli import CLI as AutrainerCLI

    from autrainer_ext_plugins.cli import CLI
    from autrainer_ext_plugins.commands import dividing

    started = []

    def start(commands, logs):
        codes = []
        for command in commands:
            assert command[1:3] == ["-m", "autrainer_ext"]
            started.append(command[3:])
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("sys.argv", ["autrainer-ext", *command[3:]])
                with pytest.raises(SystemExit) as ended:
                    CLI(AutrainerCLI()).main()
            codes.append(ended.value.code)
        return [Ended(code) for code in codes]

    monkeypatch.setattr(dividing, "start_processes", start)
    return started
