"""Commands that are killed at any operation on files and started again.

Every kill comes before a randomly chosen operation: opening a file to write, renaming, removing or
making a folder. `AUTRAINER_EXT_KILLS=50 pytest tests/faults` makes 50 kills per command.
"""

import random
import re
import shutil
from functools import partial

import pytest

EXPLAIN = ["--explainer", "saliency", "--mask", "bin", "--no-panels", "-q"]
COMMANDS = {
    "inference": ["inference", "{model}", "{sounds}", "out", "-emb", "-q", "--overwrite"],
    "explain": ["explain", "{model}", "{sounds}", "out", *EXPLAIN],
    "adapt": ["adapt", "{model}", "{sounds}", "out", "-b", "2", "-q"],
    "triangle": ["triangle", "--matrices", "m.csv", "--output", "out", "-q", "--overwrite"],
}
PLUGINS = ["EntropyTriangle"]


def visible(files):
    """All files but temporary ones."""
    return {name: files[name] for name in files if not re.search(r"(^|/)\.(part|inference)-", name)}


@pytest.fixture
def kill_and_start_again(start, contents, n_kills, tmp_path):
    """Kill a command at random operations; every result must be that of an undisturbed call."""
    return partial(_kill_and_start_again, start, contents, n_kills, tmp_path)


def _kill_and_start_again(
    start, contents, n_kills, tmp_path, arguments, prepare, seed, expected_code
):
    whole = prepare(tmp_path / "whole")
    code, n_operations = start(arguments, whole)
    log = (tmp_path / "whole.log").read_text()
    assert code == expected_code, log
    expected = contents(whole)
    assert expected == visible(expected), "an undisturbed call leaves something hidden"
    chance = random.Random(seed)
    for number in range(n_kills):
        folder = prepare(tmp_path / f"kill{number}")
        kill_at = chance.randint(1, n_operations)
        assert start(arguments, folder, kill_at=kill_at)[0] == -9, kill_at
        for name, content in visible(contents(folder)).items():
            # parts of unfinished plugins have no place in the end
            assert content == expected.get(name, content), f"{name}, killed at {kill_at}"
        code, _ = start(arguments, folder)
        log = folder.with_suffix(".log").read_text()
        assert code == expected_code, f"after a kill at {kill_at}: {log}"
        found = contents(folder)
        assert sorted(found) == sorted(expected), f"after a kill at {kill_at}"
        differing = [name for name in expected if found[name] != expected[name]]
        assert not differing, f"after a kill at {kill_at}"
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_is_repeated_as_if_nothing_had_happened(
    kill_and_start_again, sounds, root, command
):
    def prepare(folder):
        folder.mkdir()
        (folder / "m.csv").write_text("3,1\n1,2\n")
        return folder

    arguments = [text.format(model=root / "model", sounds=sounds) for text in COMMANDS[command]]
    expected = 0 if command == "triangle" else 3
    kill_and_start_again(arguments, prepare, f"{command} 0", expected)


@pytest.mark.slow
@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_killed_plugin_is_repeated_as_if_nothing_had_happened(kill_and_start_again, tiny, plugin):
    arguments = ["postprocess", "results", "clean", "--no-summary", "-p", plugin]

    def prepare(folder):
        shutil.copytree(tiny, folder)
        return folder

    kill_and_start_again(arguments, prepare, f"{plugin} 0", 0)
