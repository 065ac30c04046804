import pytest

from autrainer_ext.atomic import atomic_file, atomic_folder


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
