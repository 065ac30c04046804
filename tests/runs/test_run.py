import subprocess
import sys

import numpy as np
import pytest

from autrainer_ext.runs import find_runs, read_outputs, read_run

ENCODER = "$autrainer.datasets.utils.LabelEncoder==0.4.0:\n  labels: [bus, park]\n"
OUTPUTS = np.array([[1, 0], [2, 1], [0, 3]], dtype=np.float32)


@pytest.fixture
def run_directory(tmp_path):
    """A run of one iteration whose train outputs are in shuffled order."""
    path = tmp_path / "results/exp/training/Toy_Net_1"
    (path / ".hydra").mkdir(parents=True)
    (path / ".hydra/config.yaml").write_text("seed: 1\ndataset: {id: Toy}\n")
    (path / "target_transform.yaml").write_text(ENCODER)
    for folder, split, order in (
        ("epoch_1", "train", [2, 0, 1]),
        ("epoch_1", "dev", [0, 1, 2]),
        ("_best", "dev", [0, 1, 2]),
        ("_test", "test", [0, 1, 2]),
    ):
        (path / folder).mkdir(exist_ok=True)
        np.save(path / folder / f"{split}_outputs.npy", OUTPUTS[order])
        np.save(path / folder / f"{split}_targets.npy", np.array([0, 0, 1])[order])
        np.save(path / folder / f"{split}_indices.npy", np.array([0, 1, 2])[order])
    (path / "metrics.csv").write_text("iteration\n1\n")
    return path


@pytest.mark.parametrize(
    ("split", "iteration"), [("train_online", 1), ("dev", 1), ("dev", None), ("test", None)]
)
def test_outputs_are_in_the_order_of_the_data(run_directory, split, iteration):
    outputs = read_outputs(read_run(run_directory), split, iteration)
    assert np.array_equal(outputs.outputs, OUTPUTS)
    assert outputs.targets.tolist() == [0, 0, 1]
    assert outputs.indices.tolist() == [0, 1, 2]
    assert outputs.class_names == ["bus", "park"]


def test_samples_seen_twice_keep_their_order(run_directory):
    folder = run_directory / "epoch_1"
    np.save(folder / "train_outputs.npy", np.arange(8.0).reshape(4, 2))
    np.save(folder / "train_targets.npy", np.array([1, 0, 1, 0]))
    np.save(folder / "train_indices.npy", np.array([1, 0, 1, 0]))
    outputs = read_outputs(read_run(run_directory), "train_online", 1)
    assert outputs.indices.tolist() == [0, 0, 1, 1]
    assert outputs.outputs[:, 0].tolist() == [2, 6, 0, 4]


def test_iterations_are_sorted_by_number(run_directory):
    for name in ("epoch_10", "epoch_2", "epochs", "epoch_x"):
        (run_directory / name).mkdir()
    run = read_run(run_directory)
    assert list(run.iterations) == [1, 2, 10]
    assert run.is_complete
    assert run.name == "Toy_Net_1"


def test_family_is_the_name_without_the_seed(run_directory):
    run = read_run(run_directory)
    assert (run.seed, run.family) == ("1", "Toy_Net")
    (run_directory / ".hydra/config.yaml").write_text("dataset: {id: Toy}\n")
    run = read_run(run_directory)
    assert (run.seed, run.family) == ("", "Toy_Net_1")


def test_interrupted_run_is_found_and_told_apart(run_directory):
    (run_directory / "metrics.csv").unlink()
    (run,) = find_runs(run_directory.parents[2], "exp")
    assert not run.is_complete


def test_missing_things_are_named(run_directory, tmp_path):
    run = read_run(run_directory)
    with pytest.raises(ValueError, match="'Toy_Net_1' has no evaluated iteration 7"):
        read_outputs(run, "dev", 7)
    with pytest.raises(ValueError, match="keeps no train outputs"):
        read_outputs(run, "train")
    with pytest.raises(ValueError, match=r"test_outputs.npy' does not exist: the run was cut off"):
        read_outputs(run, "test", 1)
    with pytest.raises(ValueError, match=r"nowhere' is not a run directory: it does not exist"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"not a run directory: it has no .hydra/config.yaml"):
        read_run(tmp_path)
    with pytest.raises(ValueError, match=r"results/other' does not exist"):
        find_runs(tmp_path / "results", "other")
    (tmp_path / "empty/exp/training").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no run"):
        find_runs(tmp_path / "empty", "exp")


@pytest.mark.parametrize("kept", [0, 10, 140])
def test_cut_off_array_is_named(run_directory, kept):
    file = run_directory / "_best/dev_outputs.npy"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"dev_outputs.npy' is not a whole array file"):
        read_outputs(read_run(run_directory), "dev")


@pytest.mark.parametrize(
    ("kind", "array", "message"),
    [
        ("outputs", np.zeros((3, 4)), r"shape \(3, 4\), expected \(samples, 2 classes\)"),
        ("outputs", np.zeros((2, 2)), "_best"),
        ("targets", np.zeros((3, 2)), "expected one class per sample"),
        ("targets", np.array([0, 1, 2]), r"must be in \[0, 2\)"),
    ],
)
def test_arrays_that_do_not_fit_are_named(run_directory, kind, array, message):
    np.save(run_directory / f"_best/dev_{kind}.npy", array)
    with pytest.raises(ValueError, match=message):
        read_outputs(read_run(run_directory), "dev")


@pytest.mark.parametrize("content", ["", "a: [", "text", "$x.LabelEncoder==1:\n  other: 1\n"])
def test_unusable_class_names_are_named(run_directory, content):
    (run_directory / "target_transform.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"target_transform.yaml' names no classes"):
        read_outputs(read_run(run_directory), "dev")


def test_unusable_configuration_is_named(run_directory):
    (run_directory / ".hydra/config.yaml").write_text("a: [")
    with pytest.raises(ValueError, match=r"config.yaml' is not valid YAML"):
        read_run(run_directory)


def test_reading_imports_neither_torch_nor_the_host():
    code = "import sys, autrainer_ext.runs; print({'torch', 'autrainer'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "set()"
