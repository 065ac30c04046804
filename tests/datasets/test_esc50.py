import hashlib
import shutil
from functools import partial

import pandas as pd
import pytest
import soundata
import soundfile

from autrainer_ext.datasets import ESC50


@pytest.fixture
def make(make_dataset):
    return partial(make_dataset, ESC50, target_column="category")


def write_tree(tree):
    """Two categories, one clip of each in every fold, in the layout of the archive."""
    (tree / "audio").mkdir(parents=True)
    (tree / "meta").mkdir()
    rows = []
    for fold in range(1, 6):
        for target, category in ((0, "dog"), (14, "chirping_birds")):
            name = f"{fold}-{1000 + fold}-A-{target}.wav"
            soundfile.write(tree / "audio" / name, [0.0] * 8, 44_100)
            rows.append((name, fold, target, category, target == 0, 1000 + fold, "A"))
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    pd.DataFrame(rows, columns=columns).to_csv(tree / "meta" / "esc50.csv", index=False)
    return tree


@pytest.fixture
def root(tmp_path):
    ESC50.download(str(tmp_path / "ESC50"), str(write_tree(tmp_path / "source")))
    return tmp_path / "ESC50"


@pytest.mark.parametrize(
    ("folds", "train", "dev", "test"),
    [
        ({}, {1, 2, 3}, {4}, {5}),
        ({"test_fold": 1}, {2, 3, 4}, {5}, {1}),
        ({"test_fold": 2, "dev_fold": 4}, {1, 3, 5}, {4}, {2}),
    ],
)
def test_folds_become_splits(make, root, folds, train, dev, test):
    data = make(root, **folds)
    splits = (data.df_train, data.df_dev, data.df_test)
    assert [set(df["fold"]) for df in splits] == [train, dev, test]
    assert [len(df) for df in splits] == [6, 2, 2]
    assert data.target_transform.labels == ["chirping_birds", "dog"]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ({"test_fold": 6}, "ESC-50 has folds 1 to 5, got 6"),
        ({"dev_fold": 0}, "ESC-50 has folds 1 to 5, got 0"),
        ({"test_fold": 3, "dev_fold": 3}, "Fold 3 cannot be both for dev and test"),
    ],
)
def test_impossible_folds_are_rejected(make, root, folds, message):
    with pytest.raises(ValueError, match=message):
        make(root, **folds)


def test_recordings_are_linked(root):
    name = "2-1002-A-0.wav"
    assert (root / "default" / name).samefile(root.parent / "source" / "audio" / name)


def test_missing_recording_leaves_nothing_behind(tmp_path):
    tree = write_tree(tmp_path / "source")
    (tree / "audio" / "3-1003-A-0.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"3-1003-A-0\.wav"):
        ESC50.download(str(tmp_path / "ESC50"), str(tree))
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


def serve(tmp_path, monkeypatch, checksum=None):
    """Let soundata find a small archive of the true layout under a `file://` address."""
    write_tree(tmp_path / "made" / "ESC-50-master")
    archive = shutil.make_archive(tmp_path / "archive", "zip", tmp_path / "made")
    remote = soundata.initialize("esc50").remotes["all"]
    monkeypatch.setattr(remote, "url", (tmp_path / "archive.zip").as_uri())
    with open(archive, "rb") as file:
        monkeypatch.setattr(remote, "checksum", checksum or hashlib.md5(file.read()).hexdigest())


def test_download_unpacks_the_archive_of_soundata(make, tmp_path, monkeypatch):
    serve(tmp_path, monkeypatch)
    ESC50.download(str(tmp_path / "data" / "ESC50"))
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["ESC50"]
    assert len(make(tmp_path / "data" / "ESC50").train_dataset) == 6


def test_damaged_archive_is_rejected(tmp_path, monkeypatch):
    serve(tmp_path, monkeypatch, checksum="0" * 32)
    with pytest.raises(OSError, match="MD5 checksum"):
        ESC50.download(str(tmp_path / "data" / "ESC50"))
    assert not (tmp_path / "data" / "ESC50").exists()
