import pandas as pd
import pytest
import soundfile

from autrainer_ext.evaluation.recordings import map_classes, read_data_set, read_folder


@pytest.fixture
def folder(tmp_path):
    """Folder `city` with a table of targets."""
    (tmp_path / "city").mkdir()
    pd.DataFrame(
        {
            "filename": ["1.wav", "2.wav", "003", "4.wav"],
            "target": ["01", "car", "car", "dog"],
            "device": ["a", "b", "a", "b"],
            "note": ["w", "x", "y", "z"],
        }
    ).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path


def test_folder_with_targets(folder):
    found = read_folder(folder / "city", folder / "t.csv")
    assert found.name == "city"
    assert found.table["target"].tolist() == ["01", "car", "car", "dog"]
    assert found.table["filename"].tolist()[2] == "003"
    assert found.strata == ["device"]  # notes are as many as recordings


def test_classes_are_mapped_and_left_out_in_order(folder):
    found = read_folder(folder / "city", folder / "t.csv")
    (folder / "map.yaml").write_text("car: vehicle\ndog:\n'01': bird\n")
    mapped = map_classes(found, ["bird", "vehicle"], folder / "map.yaml")
    assert mapped.table["target"].tolist() == ["bird", "vehicle", "vehicle"]
    assert mapped.table["filename"].tolist() == ["1.wav", "2.wav", "003"]
    assert found.table["target"].tolist() == ["01", "car", "car", "dog"]


def test_classes_without_mapping_must_be_those_of_the_model(folder):
    found = read_folder(folder / "city", folder / "t.csv")
    assert map_classes(found, ["01", "car", "dog"], None).table.equals(found.table)
    with pytest.raises(ValueError, match=r"Unknown class 'car' in the data .*Did you mean 'cat'"):
        map_classes(found, ["01", "cat", "dog"], None)


@pytest.mark.parametrize("text", ["- car", "car", "{", ""])
def test_files_that_map_nothing_are_reported(folder, text):
    (folder / "map.yaml").write_text(text)
    found = read_folder(folder / "city", folder / "t.csv")
    with pytest.raises(ValueError, match="must map names in the data"):
        map_classes(found, ["car"], folder / "map.yaml")


def test_nothing_left_is_reported(folder):
    (folder / "map.yaml").write_text("{'01': , car: , dog: }")
    found = read_folder(folder / "city", folder / "t.csv")
    with pytest.raises(ValueError, match="No recording has a class of the model"):
        map_classes(found, ["bird"], folder / "map.yaml")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,target\n1.wav,a\n", "Unknown column 'filename'"),
        ("filename,label\n1.wav,a\n", "Unknown column 'target'"),
        ("filename,target\n1.wav,\n", "is empty in 1 rows"),
        ("filename,target\n1.wav,a\n1.wav,b\n", r"File '1\.wav' occurs twice"),
        ("filename,target\n", "There are no recordings"),
        ("", "cannot be read"),
    ],
)
def test_wrong_tables_are_reported(folder, table, message):
    (folder / "t.csv").write_text(table)
    with pytest.raises(ValueError, match=message):
        read_folder(folder / "city", folder / "t.csv")
    with pytest.raises(ValueError, match="'nowhere' does not exist"):
        read_folder("nowhere", folder / "t.csv")


DATA_SET = """
id: Small
_target_: autrainer.datasets.BaseClassificationDataset
path: data
features_subdir: nowhere
index_column: file
target_column: kind
file_type: npy
file_handler: autrainer.datasets.utils.NumpyFileHandler
stratify: [device]
metrics: [autrainer.metrics.Accuracy]
tracking_metric: autrainer.metrics.Accuracy
"""


def test_data_set_needs_tables_and_audio_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/dataset").mkdir(parents=True)
    (tmp_path / "conf/dataset/Small.yaml").write_text(DATA_SET)
    with pytest.raises(ValueError, match=r"Data set 'Small' has no audio in 'data/default'"):
        read_data_set("Small")
    (tmp_path / "data/default").mkdir(parents=True)
    soundfile.write(tmp_path / "data/default/x.wav", [0.0, 0.1], 8000)
    with pytest.raises(ValueError, match="Data set 'Small' cannot be read"):
        read_data_set("Small")
    for split in ("train", "dev", "test"):
        table = pd.DataFrame({"file": [f"{split}.wav", "x.wav"], "kind": [0, 1], "device": "a"})
        table.to_csv(tmp_path / f"data/{split}.csv", index=False)
    found = read_data_set("Small")
    assert found.table["file"].tolist() == ["test.wav", "x.wav"]
    assert found.table["kind"].tolist() == ["0", "1"]
    assert (found.index_column, found.target_column, found.strata) == ("file", "kind", ["device"])
    assert found.config["path"] == str(tmp_path / "data")
    with pytest.raises(ValueError, match=r"Unknown data set 'Smalll'\. Did you mean 'Small'"):
        read_data_set("Smalll")
