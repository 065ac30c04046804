import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from autrainer_ext.compat import unpack
from autrainer_ext.datasets import FSDD, fsdd

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "fsdd"
SPEAKERS = ["ann", "ben", "cid"]


@pytest.fixture
def make(make_dataset):
    return partial(make_dataset, FSDD, target_column="digit", stratify=["speaker"])


def write_recordings(folder):
    folder.mkdir(parents=True)
    for digit in range(3):
        for speaker in SPEAKERS:
            for take in (0, 4, 5, 12):
                name = f"{digit}_{speaker}_{take}.wav"
                soundfile.write(folder / name, np.full(8, digit / 10), 8000)
    return folder


@pytest.fixture
def root(tmp_path):
    FSDD.download(str(tmp_path / "fsdd"), str(write_recordings(tmp_path / "source")))
    return tmp_path / "fsdd"


def takes(df):
    return {(row.speaker, row.take) for row in df.itertuples()}


def test_table_holds_what_the_names_say(root):
    table = pd.read_csv(root / "fsdd.csv")
    assert table.columns.tolist() == ["filename", "digit", "speaker", "take"]
    assert len(table) == 36
    assert table.loc[5].tolist() == ["0_ben_4.wav", 0, "ben", 4]


def test_held_out_speaker_is_only_tested_on(make, root):
    data = make(root, test_speakers=["ben"])
    assert takes(data.df_train) == {(s, t) for s in ("ann", "cid") for t in (5, 12)}
    assert takes(data.df_dev) == {(s, t) for s in ("ann", "cid") for t in (0, 4)}
    assert takes(data.df_test) == {("ben", t) for t in (0, 4, 5, 12)}


def test_development_speakers_keep_all_their_takes(make, root):
    data = make(root, test_speakers=["ben"], dev_speakers=["cid"])
    assert takes(data.df_train) == {("ann", t) for t in (0, 4, 5, 12)}
    assert takes(data.df_dev) == {("cid", t) for t in (0, 4, 5, 12)}


def test_official_split_tests_the_first_five_takes_of_everybody(make, root):
    data = make(root, test_speakers=[])
    assert takes(data.df_train) == {(s, t) for s in SPEAKERS for t in (5, 12)}
    assert takes(data.df_dev) == takes(data.df_test) == {(s, t) for s in SPEAKERS for t in (0, 4)}


def test_digits_are_labels_not_numbers(make, root):
    data = make(root, test_speakers=["ben"])
    assert data.target_transform.labels == ["0", "1", "2"]
    features, target, _ = unpack(data.test_dataset[11])
    assert target == 2
    assert features[0, 0] == pytest.approx(0.2, abs=1e-4)


@pytest.mark.parametrize(
    ("speakers", "message"),
    [
        ({"test_speakers": ["dan"]}, "Unknown speaker 'dan'.* Choose from: ann, ben, cid"),
        (
            {"test_speakers": ["ben"], "dev_speakers": ["ben"]},
            "Speaker 'ben' cannot be in both the dev and the test split",
        ),
        ({"test_speakers": [], "dev_speakers": ["ben"]}, "dev_speakers require test_speakers"),
        ({"test_speakers": SPEAKERS}, "The train split of '.*' is empty"),
    ],
)
def test_impossible_speakers_are_rejected(make, root, speakers, message):
    with pytest.raises(ValueError, match=message):
        make(root, **speakers)


def test_environment_names_the_source(tmp_path, monkeypatch):
    monkeypatch.setenv("FSDD_SOURCE", str(write_recordings(tmp_path / "source")))
    FSDD.download(str(tmp_path / "fsdd"))
    assert len(list((tmp_path / "fsdd" / "default").iterdir())) == 36


def test_second_download_changes_nothing(root):
    (root / "log_mel_16k").mkdir()
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    FSDD.download(str(root), "nowhere")
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before


def test_source_without_recordings_leaves_nothing_behind(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(
        FileNotFoundError, match="source' contains no recordings named digit_speaker"
    ):
        FSDD.download(str(tmp_path / "fsdd"), str(tmp_path / "source"))
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


def serve_archive(tmp_path, monkeypatch, members):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for member in members:
            archive.writestr(member, member)
    monkeypatch.setattr(fsdd, "ARCHIVE", (tmp_path / "archive.zip").as_uri())
    monkeypatch.delenv("FSDD_SOURCE", raising=False)


def test_archive_gives_its_recordings_and_nothing_else(tmp_path, monkeypatch):
    top = "free-spoken-digit-dataset-1.0.10"
    outside = ["../../7_eve_1.wav", "/8_eve_1.wav", f"{top}/recordings/../../../x.py"]
    recordings = [f"{top}/recordings/{name}" for name in ("0_ann_0.wav", "9_ben_49.wav")]
    serve_archive(tmp_path, monkeypatch, [f"{top}/README.md", *outside, *recordings])
    FSDD.download(str(tmp_path / "data" / "fsdd"))
    files = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    names = ["0_ann_0.wav", "7_eve_1.wav", "8_eve_1.wav", "9_ben_49.wav"]
    inside = [Path("data", "fsdd", "default", name) for name in names]
    assert files == [Path("archive.zip"), *inside, Path("data", "fsdd", "fsdd.csv")]
    assert (tmp_path / inside[0]).read_text() == recordings[0]


def test_archive_without_recordings_is_rejected(tmp_path, monkeypatch):
    serve_archive(tmp_path, monkeypatch, ["README.md"])
    with pytest.raises(FileNotFoundError, match=r"archive\.zip contains no recordings"):
        FSDD.download(str(tmp_path / "fsdd"))
    assert [p.name for p in tmp_path.iterdir()] == ["archive.zip"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the recordings in ../shared/data/fsdd")
def test_real_recordings_are_50_takes_of_each_digit_and_speaker(make, tmp_path):
    FSDD.download(str(tmp_path / "fsdd"), str(SHARED))
    data = make(tmp_path / "fsdd", test_speakers=["theo"])
    table = pd.concat([data.df_train, data.df_dev, data.df_test])
    assert len(table) == table["filename"].nunique() == 2500
    assert (table.groupby(["digit", "speaker"]).size() == 50).all()
    assert [len(df) for df in (data.df_train, data.df_dev, data.df_test)] == [1800, 200, 500]
