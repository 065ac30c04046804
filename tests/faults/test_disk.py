"""A full disk, and a file where the output folder should be."""

import pytest

EXPLAIN = ["--explainer", "saliency", "--mask", "bin", "--no-panels", "-q"]
COMMANDS = {
    "inference": ["inference", "{model}", "{sounds}", "out", "-emb", "-q"],
    "explain": ["explain", "{model}", "{sounds}", "out", *EXPLAIN],
    "adapt": ["adapt", "{model}", "{sounds}", "out", "-b", "2", "-q"],
    "triangle": ["triangle", "--matrices", "m.csv", "--output", "out", "-q"],
}


@pytest.fixture(params=COMMANDS)
def arguments(request, root, sounds):
    return [text.format(model=root / "model", sounds=sounds) for text in COMMANDS[request.param]]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "m.csv").write_text("3,1\n1,2\n")
    return folder


def last_line(folder):
    *notes, line, _exit_code = folder.with_suffix(".log").read_text().splitlines()
    assert "Traceback" not in "".join(notes)
    return line


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_what_follows_is_complete(
    start, contents, arguments, folder, tmp_path
):
    code, _ = start(arguments, folder, file_size=700)
    assert code == 1
    line = last_line(folder)
    assert "'out" in line
    assert "cannot be written: " in line
    code, _ = start(arguments, folder)
    assert code in (0, 3), folder.with_suffix(".log").read_text()
    other = tmp_path / "other"
    other.mkdir()
    (other / "m.csv").write_text("3,1\n1,2\n")
    start(arguments, other)
    assert contents(folder) == contents(other)


@pytest.mark.slow
def test_a_file_in_the_way_is_one_line(start, contents, arguments, folder):
    (folder / "out").write_text("mine")
    assert start(arguments, folder)[0] == 1
    assert "'out'" in last_line(folder)
    assert sorted(contents(folder)) == ["m.csv", "out"]
