import pytest
import yaml

from autrainer_ext.runs import read_columns, read_metadata, read_run, read_task

SCALER = "$autrainer.datasets.utils.MinMaxScaler==0.4.0:\n  target: level\n  minimum: 0.0\n"
LABELS = "$autrainer.datasets.utils.MultiLabelEncoder==0.4.0:\n  threshold: 0.5\n  labels: [a, b]\n"


def save_columns(run_directory, **columns):
    (run_directory / "_metadata").mkdir(exist_ok=True)
    (run_directory / "_metadata/columns.yaml").write_text(yaml.safe_dump(columns))


def test_saved_columns_precede_configured_ones(run_directory):
    config = "seed: 1\ndataset: {id: Toy, index_column: file, target_column: scene}\n"
    (run_directory / ".hydra/config.yaml").write_text(config)
    run = read_run(run_directory)
    assert (read_columns(run).index, read_columns(run).target) == ("file", "scene")
    assert read_columns(run).stratify == []
    save_columns(run_directory, index_column="name", target_column="label", stratify=["city"])
    columns = read_columns(run)
    assert (columns.index, columns.target, columns.stratify) == ("name", "label", ["city"])


def test_without_names_of_columns_the_data_set_is_needed(run_directory):
    with pytest.raises(ValueError, match="did not save the names of its columns .*CleanOutputs"):
        read_columns(read_run(run_directory))


def test_classes_are_text_and_numbers_are_numbers(run_directory):
    save_columns(run_directory, index_column="file", target_column="level", stratify=[])
    (run_directory / "_metadata/test.csv").write_text("file,level\na.wav,1\n")
    run = read_run(run_directory)
    assert read_metadata(run, "test")["level"].tolist() == ["1"]
    (run_directory / "target_transform.yaml").write_text(SCALER)
    assert read_metadata(run, "test")["level"].tolist() == [1]


def test_task_is_that_of_the_target_transform(run_directory):
    assert read_task(run_directory) == "classification"
    for text, task in ((SCALER, "regression"), (LABELS, "ml-classification")):
        (run_directory / "target_transform.yaml").write_text(text)
        assert read_task(run_directory) == task
