import os
import subprocess
import sys

import numpy as np
import pytest

from autrainer_ext.atomic import (
    UnwritableError,
    atomic_file,
    atomic_folder,
    is_abandoned,
    is_free,
    is_temporary,
    remove_leftovers,
    temporary_path,
)


def test_folder_appears_at_the_end(tmp_path):
    target = tmp_path / "data" / "set"
    with atomic_folder(target) as folder:
        (folder / "file").write_text("x")
        assert not target.exists()
    assert (target / "file").read_text() == "x"
    assert [p.name for p in target.parent.iterdir()] == ["set"]


def test_nothing_stays_behind_after_a_failure(tmp_path):
    def interrupted():
        with atomic_folder(tmp_path / "set") as folder:
            (folder / "file").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_full_folder_is_never_replaced(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes").write_text("mine")
    with (
        pytest.raises(FileExistsError, match="exists and is not an empty folder"),
        atomic_folder(tmp_path / "set"),
    ):
        pass
    assert [p.name for p in tmp_path.rglob("*")] == ["set", "notes"]


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "set").mkdir()
    with atomic_folder(tmp_path / "set") as folder:
        (folder / "file").touch()
    assert (tmp_path / "set" / "file").exists()


def test_file_appears_at_the_end_and_replaces_the_earlier_one(tmp_path):
    path = tmp_path / "new" / "table.v1.csv"
    for text in ("first", "second"):
        with atomic_file(path) as part:
            assert part.suffix == ".csv"
            part.write_text(text)
            assert path.exists() == (text == "second")
        assert path.read_text() == text
    assert [p.name for p in path.parent.iterdir()] == ["table.v1.csv"]


def test_failed_writing_leaves_the_earlier_file(tmp_path):
    (tmp_path / "table.csv").write_text("earlier")

    def failing():
        with atomic_file(tmp_path / "table.csv") as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    assert (tmp_path / "table.csv").read_text() == "earlier"


def killed_process(folder):
    """Temporary file and folder of a process that has ended."""
    code = (
        "import sys; from pathlib import Path; from autrainer_ext.atomic import temporary_path\n"
        "file = temporary_path(Path(sys.argv[1]), '.csv'); file.write_text('half')\n"
        "inside = temporary_path(Path(sys.argv[1])); (inside / 'deep').mkdir(parents=True)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


def test_only_what_dead_processes_left_is_removed(tmp_path):
    killed_process(tmp_path)
    left = list(tmp_path.iterdir())
    assert len(left) == 2
    assert all(is_abandoned(path) and is_temporary(path) for path in left)
    own, mine = temporary_path(tmp_path, ".csv"), tmp_path / ".part-mine.csv"
    machine = left[0].name.split("-")[1]
    other = tmp_path / left[0].name.replace(machine, "0" * 8)
    for path in (own, mine, other):
        path.touch()
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == {own, mine, other}


def test_leftovers_in_folders_within_are_removed_on_request(tmp_path):
    (tmp_path / "deep").mkdir()
    killed_process(tmp_path / "deep")
    remove_leftovers(tmp_path)
    assert len(list((tmp_path / "deep").iterdir())) == 2
    remove_leftovers(tmp_path, recursive=True)
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_reused_process_number_is_another_process(tmp_path):
    kind, machine, number, start, chance = temporary_path(tmp_path).name.split("-")
    earlier = "-".join([kind, machine, number, str(int(start) - 100), chance])
    assert is_abandoned(tmp_path / earlier)
    assert not is_abandoned(temporary_path(tmp_path))


def test_a_folder_with_leftovers_only_is_free(tmp_path):
    killed_process(tmp_path)
    assert is_free(tmp_path)
    with atomic_folder(tmp_path) as folder:
        (folder / "file").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("save", [np.save, lambda path, array: path.write_bytes(array)])
def test_a_full_disk_names_the_file(tmp_path, file_size_limit, save):
    def write():
        with atomic_file(tmp_path / "x.npy") as part:
            save(part, np.zeros(1000))

    with file_size_limit(500), pytest.raises(UnwritableError, match=r"x\.npy' cannot be written: "):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").touch()
    for atomic in (atomic_file, atomic_folder):
        with (
            pytest.raises(UnwritableError, match="file' is not a folder"),
            atomic(tmp_path / "file/x"),
        ):
            pass


def test_the_second_of_two_processes_is_told(tmp_path):
    def second():
        with atomic_folder(tmp_path / "set") as folder:
            (folder / "mine").touch()
            (tmp_path / "set").mkdir()
            (tmp_path / "set/theirs").touch()

    with pytest.raises(UnwritableError, match="set' cannot be written: another process wrote it"):
        second()
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "theirs"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become nobody")
def test_a_folder_without_permission_is_named(tmp_path):
    os.seteuid(65534)
    try:
        for atomic in (atomic_file, atomic_folder):
            with pytest.raises(OSError, match="Permission denied"), atomic(tmp_path / "x"):
                pass
    finally:
        os.seteuid(0)
    assert list(tmp_path.iterdir()) == []


def test_errors_of_other_files_are_left_alone(tmp_path):
    with pytest.raises(FileNotFoundError, match="'/nowhere/x'"), atomic_file(tmp_path / "x"):
        open("/nowhere/x")  # noqa: SIM115
