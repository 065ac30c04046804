import pytest

from autrainer_ext.datasets.folders import is_built, link


def test_empty_folder_is_not_built(tmp_path):
    assert not is_built(tmp_path, ["train.csv"])
    assert not is_built(tmp_path / "set", ["train.csv"])


@pytest.mark.parametrize(
    ("gone", "named"), [("train.csv", "train.csv"), ("default/b.wav", "default/b.wav")]
)
def test_incomplete_folder_says_what_to_delete(tmp_path, gone, named):
    (tmp_path / "default").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "default" / name).touch()
    (tmp_path / "train.csv").write_text("filename\na.wav\nb.wav\n")
    assert is_built(tmp_path, ["train.csv"])
    (tmp_path / gone).unlink()
    with pytest.raises(FileExistsError) as error:
        is_built(tmp_path, ["train.csv"])
    assert str(error.value) == (
        f"Dataset folder '{tmp_path}' lacks '{named}': delete the folder, then fetch again."
    )


def test_linked_files_take_no_space(tmp_path):
    for folder in ("from", "to"):
        (tmp_path / folder).mkdir()
    (tmp_path / "from" / "a").write_text("x")
    link(["a"], tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "to" / "a").samefile(tmp_path / "from" / "a")


def test_missing_source_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'.*/a'"):
        link(["a"], tmp_path, tmp_path)
