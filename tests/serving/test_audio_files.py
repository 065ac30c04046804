from autrainer_ext.serving.audio_files import collect_files


def test_files_are_found_by_ending(tmp_path):
    for name in ("b.wav", "a.WAV", ".hidden.wav", "c.flac", "sub/d.wav", ".git/e.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "sub/loop").symlink_to(tmp_path)
    assert collect_files(str(tmp_path), "wav") == ["a.WAV", "b.wav"]
    assert collect_files(str(tmp_path), ".Wav", True) == ["a.WAV", "b.wav", "sub/d.wav"]
