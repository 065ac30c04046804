import io
import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from autrainer_ext.compat import unpack
from autrainer_ext.datasets import CochlScene, cochlscene
from autrainer_ext.datasets.archives import digest

PUBLISHED = CochlScene.SIZES
SIZES = {"train": 8, "dev": 4, "test": 2}
CLIPS = {
    f"{split}/{scene}/{scene}_user{user:04d}_1486{user}_{segment:03d}.wav"
    for split, users in (("Train", (1, 2, 3, 4)), ("Val", (5, 6)), ("Test", (7,)))
    for scene in ("Bus", "SubwayStation")
    for user in users
    for segment in (user,)
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(CochlScene, "SIZES", SIZES)


@pytest.fixture
def tree(tmp_path):
    for clip in CLIPS:
        path = tmp_path / "source" / clip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound())
    return tmp_path / "source"


def sound():
    file = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 4_000)
    soundfile.write(file, noise, 44_100, format="WAV")
    return file.getvalue()


def test_folders_become_splits(tmp_path, tree, make_dataset):
    CochlScene.download(str(tmp_path / "CochlScene"), str(tree))
    data = make_dataset(CochlScene, tmp_path / "CochlScene", "scene")
    splits = (data.df_train, data.df_dev, data.df_test)
    assert [len(df) for df in splits] == [8, 4, 2]
    assert set(data.df_dev["user"]) == {"user0005", "user0006"}
    assert data.target_transform.labels == ["Bus", "SubwayStation"]
    assert len(unpack(data.test_dataset[1])[0][0]) == 4_000


def test_table_holds_what_the_names_say(tmp_path, tree):
    CochlScene.download(str(tmp_path / "CochlScene"), str(tree))
    table = pd.read_csv(tmp_path / "CochlScene" / "cochlscene.csv")
    assert table.loc[5].to_dict() == {
        "filename": "Train/SubwayStation/SubwayStation_user0002_14862_002.wav",
        "scene": "SubwayStation",
        "user": "user0002",
        "recording": 14862,
        "segment": 2,
        "split": "train",
    }


def test_recordings_are_linked(tmp_path, tree):
    CochlScene.download(str(tmp_path / "CochlScene"), str(tree))
    assert all((tmp_path / "CochlScene" / "default" / c).samefile(tree / c) for c in CLIPS)


def test_incomplete_release_is_rejected(tmp_path, tree):
    next((tree / "Val" / "Bus").iterdir()).unlink()
    with pytest.raises(
        ValueError, match=r"source' has 3 recordings in its dev split, expected 4\."
    ):
        CochlScene.download(str(tmp_path / "CochlScene"), str(tree))
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


def test_other_folder_is_rejected(tmp_path, tree):
    with pytest.raises(FileNotFoundError, match="Bus/Train' contains no recordings"):
        CochlScene.download(str(tmp_path / "CochlScene"), str(tree / "Train" / "Bus"))


@pytest.fixture
def record(tmp_path, monkeypatch, write_split_zip):
    """A record of Zenodo under a `file://` address: an archive in several files, and a text."""
    members = {f"CochlScene/{clip}": sound() for clip in CLIPS}
    members |= {"CochlScene/dataset_info.tsv": b"", "__MACOSX/CochlScene/._Train": b""}
    folder = tmp_path / "record"
    folder.mkdir()
    (folder / "readme.txt").touch()
    write_split_zip(folder / "CochlScene.zip", members, part_size=30_000, large=True)
    files = [
        {"key": p.name, "links": {"self": p.as_uri()}, "checksum": digest(p, "md5")}
        for p in folder.iterdir()
    ]
    (tmp_path / "record.json").write_text(json.dumps({"files": files}))
    monkeypatch.setattr(cochlscene, "RECORD", (tmp_path / "record.json").as_uri())
    return folder


def test_download_unpacks_the_archive_in_pieces(tmp_path, record, make_dataset):
    assert len(list(record.glob("*.z0?"))) == 3
    CochlScene.download(str(tmp_path / "data" / "CochlScene"))
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["CochlScene"]
    files = (p for p in (tmp_path / "data" / "CochlScene" / "default").rglob("*") if p.is_file())
    assert all(file.read_bytes() == sound() for file in files)
    data = make_dataset(CochlScene, tmp_path / "data" / "CochlScene", "scene")
    assert [len(df) for df in (data.df_train, data.df_dev, data.df_test)] == [8, 4, 2]


def test_damaged_piece_is_fetched_again_and_the_others_are_not(tmp_path, record):
    piece = record / "CochlScene.z02"
    content = piece.read_bytes()
    piece.write_bytes(content[:-1] + b"?")
    archives = tmp_path / "CochlScene.download"
    with pytest.raises(OSError, match=r"/CochlScene\.z02 has an unexpected checksum"):
        CochlScene.download(str(tmp_path / "CochlScene"))
    assert not (archives / "CochlScene.z02").exists()
    piece.write_bytes(content)
    kept = list(archives.glob("CochlScene.z*"))
    for file in kept:
        (record / file.name).unlink()
    CochlScene.download(str(tmp_path / "CochlScene"))
    assert not archives.exists()
    assert (tmp_path / "CochlScene" / "cochlscene.csv").is_file()


def test_published_numbers_are_those_of_the_record():
    assert sum(PUBLISHED.values()) == 76_115
