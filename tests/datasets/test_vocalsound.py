import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from autrainer_ext.datasets import VocalSound, vocalsound

SOUNDS = ["cough", "laughter", "sigh", "sneeze", "sniff", "throatclearing"]
SPEAKERS = {"tr": ["f0003", "m0010"], "val": ["f0021"], "te": ["m0035"]}


def write_tree(tree):
    """Four speakers in the layout of the release, and one recording that no list names."""
    for folder in ("audio_16k", "datafiles", "meta"):
        (tree / folder).mkdir(parents=True)
    for name, speakers in SPEAKERS.items():
        files = [f"{speaker}_0_{sound}.wav" for speaker in speakers for sound in SOUNDS]
        for file in files:
            soundfile.write(tree / "audio_16k" / file, np.full(8, 0.1), 16_000)
        data = [{"wav": f"/data/sls/audio_16k/{file}", "labels": "/m/01b_21"} for file in files]
        (tree / "datafiles" / f"{name}.json").write_text(json.dumps({"data": data}))
        rows = [f"{speaker},male,{40 + len(speaker)},India,Tamil,no" for speaker in speakers]
        (tree / "meta" / f"{name}_meta.csv").write_text("\n".join(rows) + "\n")
    soundfile.write(tree / "audio_16k" / "m0600_0_sigh.wav", np.zeros(0), 16_000)
    return tree


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "source")


@pytest.fixture
def make(make_dataset, tmp_path, tree):
    def run():
        VocalSound.download(str(tmp_path / "VocalSound"), str(tree))
        return make_dataset(VocalSound, tmp_path / "VocalSound", "sound", stratify=["gender"])

    return run


def test_table_holds_names_and_metadata(make, tmp_path):
    make()
    table = pd.read_csv(tmp_path / "VocalSound" / "vocalsound.csv")
    assert len(table) == 24
    assert table.loc[1].to_dict() == {
        "filename": "f0003_0_laughter.wav",
        "sound": "laughter",
        "speaker": "f0003",
        "gender": "female",
        "age": 45,
        "country": "India",
        "language": "Tamil",
        "health": "no",
        "take": 0,
        "split": "train",
    }


def test_official_lists_become_splits(make):
    data = make()
    splits = (data.df_train, data.df_dev, data.df_test)
    assert [set(df["speaker"]) for df in splits] == [{"f0003", "m0010"}, {"f0021"}, {"m0035"}]
    assert [len(df) for df in splits] == [12, 6, 6]
    assert data.target_transform.labels == SOUNDS


def test_recordings_without_sound_are_left_out_and_reported(make, tree, caplog):
    soundfile.write(tree / "audio_16k" / "m0035_0_sneeze.wav", np.zeros(0), 16_000)
    (tree / "audio_16k" / "m0035_0_sniff.wav").write_bytes(b"")
    data = make()
    assert [len(df) for df in (data.df_train, data.df_dev, data.df_test)] == [12, 6, 4]
    assert "2 listed recordings of VocalSound are empty" in caplog.text
    assert "as 'm0035_0_sneeze.wav'" in caplog.text


def test_speaker_without_metadata_is_kept(make, tree):
    (tree / "meta" / "te_meta.csv").write_text("spk_id,gender,age,country,native,health\n")
    test = make().df_test
    assert len(test) == 6
    assert test[["age", "country", "language", "health"]].isna().all(axis=None)
    assert set(test["gender"]) == {"male"}


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("datafiles/val.json", r"val\.json"),
        ("meta/tr_meta.csv", r"tr_meta\.csv"),
        ("audio_16k/f0021_0_sigh.wav", r"f0021_0_sigh\.wav' is listed but missing"),
    ],
)
def test_incomplete_release_leaves_nothing_behind(make, tmp_path, tree, gone, named):
    (tree / gone).unlink()
    with pytest.raises(FileNotFoundError, match=named):
        make()
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


def test_list_cannot_lead_out_of_the_folder(make, tree):
    data = [{"wav": "x/..", "labels": ""}]
    (tree / "datafiles" / "te.json").write_text(json.dumps({"data": data}))
    with pytest.raises(ValueError, match=r"'\.\.' in 'te\.json' is not named speaker_take_sound"):
        make()


def test_second_download_changes_nothing(make, tmp_path):
    make()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "VocalSound").rglob("*")}
    VocalSound.download(str(tmp_path / "VocalSound"), "nowhere")
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "VocalSound").rglob("*")} == before


def test_download_unpacks_the_archive(tmp_path, monkeypatch, make_dataset):
    release = write_tree(tmp_path / "made" / "release")
    (tmp_path / "made" / "__MACOSX" / "datafiles").mkdir(parents=True)
    (tmp_path / "made" / "__MACOSX" / "datafiles" / "._tr.json").write_text("no JSON")
    (release / "readme.txt").write_text("not wanted")
    shutil.make_archive(tmp_path / "archive", "zip", tmp_path / "made")
    monkeypatch.setattr(vocalsound, "ARCHIVE", (tmp_path / "archive.zip").as_uri())
    VocalSound.download(str(tmp_path / "data" / "VocalSound"))
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["VocalSound"]
    data = make_dataset(VocalSound, tmp_path / "data" / "VocalSound", "sound")
    assert [len(df) for df in (data.df_train, data.df_dev, data.df_test)] == [12, 6, 6]


def test_page_instead_of_an_archive_is_deleted(tmp_path, monkeypatch):
    (tmp_path / "page").write_text("<html>Link temporarily disabled</html>")
    monkeypatch.setattr(vocalsound, "ARCHIVE", (tmp_path / "page").as_uri())
    with pytest.raises(OSError, match=r"/page sent no intact archive \(File is not a zip file\)"):
        VocalSound.download(str(tmp_path / "VocalSound"))
    assert not list(tmp_path.glob("**/*.zip*"))
    assert not (tmp_path / "VocalSound").exists()
