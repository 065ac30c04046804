import numpy as np
import pytest

from autrainer_ext.runs import read_outputs, read_run, split_name

OUTPUTS = np.array([[1, 0], [2, 1], [0, 3]], dtype=np.float32)


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


@pytest.mark.parametrize("kept", [0, 10, 140])
def test_cut_off_array_is_named(run_directory, kept):
    file = run_directory / "_best/dev_outputs.npy"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"dev_outputs.npy' is truncated or not a valid"):
        read_outputs(read_run(run_directory), "dev")


@pytest.mark.parametrize(
    ("kind", "array", "message"),
    [
        ("outputs", np.zeros((3, 4)), r"shape \(3, 4\), expected \(samples, 2 classes\)"),
        ("outputs", np.zeros((2, 2)), "_best"),
        ("targets", np.zeros((3, 2)), "expected one class index per sample"),
        ("targets", np.array([0, 1, 2]), r"must be in \[0, 2\), got 0 to 2"),
    ],
)
def test_arrays_that_do_not_fit_are_named(run_directory, kind, array, message):
    np.save(run_directory / f"_best/dev_{kind}.npy", array)
    with pytest.raises(ValueError, match=message):
        read_outputs(read_run(run_directory), "dev")


@pytest.mark.parametrize("content", ["", "a: [", "text", "$x.LabelEncoder==1:\n  other: 1\n"])
def test_unusable_class_names_are_named(run_directory, content):
    (run_directory / "target_transform.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"target_transform.yaml' contains no class names"):
        read_outputs(read_run(run_directory), "dev")


def test_missing_outputs_are_named(run_directory):
    run = read_run(run_directory)
    with pytest.raises(ValueError, match="Run 'Toy_Net_1' has no evaluated iteration 7"):
        read_outputs(run, "dev", 7)
    with pytest.raises(ValueError, match="has no saved train outputs of its best iteration"):
        read_outputs(run, "train")
    with pytest.raises(ValueError, match=r"test_outputs.npy' does not exist: training was inter"):
        read_outputs(run, "test", 1)


def test_splits_have_an_old_name_and_unknown_ones_are_named():
    assert [split_name(name) for name in ("traineval", "train_online")] == ["train", "train_online"]
    with pytest.raises(
        ValueError, match=r"Unknown split 'tset'. Did you mean 'test'\? Choose from"
    ):
        split_name("tset")
