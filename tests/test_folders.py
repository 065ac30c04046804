import pytest

from autrainer_ext.folders import building


def test_folder_appears_at_the_end(tmp_path):
    target = tmp_path / "data" / "set"
    with building(target) as folder:
        (folder / "file").write_text("x")
        assert not target.exists()
    assert (target / "file").read_text() == "x"
    assert [p.name for p in target.parent.iterdir()] == ["set"]


def test_nothing_stays_behind_after_a_failure(tmp_path):
    def interrupted():
        with building(tmp_path / "set") as folder:
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
        building(tmp_path / "set"),
    ):
        pass
    assert [p.name for p in tmp_path.rglob("*")] == ["set", "notes"]


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "set").mkdir()
    with building(tmp_path / "set") as folder:
        (folder / "file").touch()
    assert (tmp_path / "set" / "file").exists()
