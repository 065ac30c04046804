import pandas as pd

from autrainer_ext.serving.audio_files import collect_files, error_table, write_errors


def test_files_are_found_by_ending(tmp_path):
    for name in ("b.wav", "a.WAV", ".hidden.wav", "c.flac", "sub/d.wav", ".git/e.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "sub/loop").symlink_to(tmp_path)
    assert collect_files(str(tmp_path), "wav") == ["a.WAV", "b.wav"]
    assert collect_files(str(tmp_path), ".Wav", True) == ["a.WAV", "b.wav", "sub/d.wav"]


def test_errors_are_listed_in_the_order_of_the_files(tmp_path):
    errors = error_table(
        ["a.wav", "b.wav", "c\udcff, d.wav"], {"c\udcff, d.wav": "x", "a.wav": "y"}
    )
    assert errors["filename"].tolist() == ["a.wav", "c\udcff, d.wav"]
    write_errors(errors, tmp_path)
    saved = pd.read_csv(tmp_path / "errors.csv")
    assert saved.to_dict("list") == {"filename": ["a.wav", "c\\udcff, d.wav"], "reason": ["y", "x"]}


def test_without_errors_an_earlier_list_is_removed(tmp_path):
    write_errors(error_table(["a"], {"a": "empty"}), tmp_path)
    write_errors(error_table(["a"], {}), tmp_path)
    assert not list(tmp_path.iterdir())
