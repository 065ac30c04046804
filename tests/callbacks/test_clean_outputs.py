import numpy as np
import pandas as pd
import pytest
import torch

from autrainer_ext.callbacks import CleanOutputs
from autrainer_ext.runs import find_runs, iterations_with, read_metadata, read_outputs
from autrainer_ext.runs.load import load_run

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(tiny, monkeypatch):
    monkeypatch.chdir(tiny)
    return find_runs("results", "clean")


def test_outputs_are_those_of_the_saved_weights(runs):
    for iteration in (1, 3):
        loaded = load_run(runs[0], f"epoch_{iteration}")
        for split, name in (("train", "traineval"), ("test", "test")):
            dataset = getattr(loaded.data, f"{split}_dataset")
            with torch.inference_mode():
                expected = loaded.model(torch.stack([features for features, *_ in dataset]))
            saved = read_outputs(runs[0], name, iteration)
            np.testing.assert_allclose(saved.outputs, expected.numpy(), atol=1e-5)
            assert saved.targets.tolist() == [target for _, target, _ in dataset]
            assert saved.indices.tolist() == list(range(len(dataset)))


def test_outputs_of_the_best_iteration_are_the_host_s(runs):
    for run in runs:
        host = read_outputs(run, "test").outputs
        ours = [read_outputs(run, "test", i).outputs for i in iterations_with(run, "test")]
        assert len(ours) == 3
        assert min(np.abs(host - outputs).max() for outputs in ours) < 1e-5


def test_training_is_the_same_without_the_callback(runs):
    (plain,) = find_runs("results", "plain")
    assert iterations_with(plain, "train") == []
    with_callback, without = (
        torch.load(run.path / "epoch_3/model.pt", weights_only=True) for run in (runs[0], plain)
    )
    assert runs[0].config["seed"] == plain.config["seed"]
    assert all(torch.equal(without[name], value) for name, value in with_callback.items())
    assert np.array_equal(
        read_outputs(runs[0], "train_online", 3).outputs,
        read_outputs(plain, "train_online", 3).outputs,
    )


def test_tables_are_those_of_the_data(runs, tiny):
    (plain,) = find_runs("results", "plain")
    for split in ("train", "dev", "test"):
        table = pd.read_csv(tiny / f"data/{split}.csv")
        assert read_metadata(runs[0], split).equals(table)
        assert read_metadata(plain, split).equals(table)  # built again


def test_run_without_tables_and_data_is_named(tiny, tmp_path, monkeypatch):
    (plain,) = find_runs(tiny / "results", "plain")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"Tiny_.*' did not save .* folder 'data' does not"):
        read_metadata(plain, "test")


def test_saving_never_is_refused():
    with pytest.raises(ValueError, match="Argument 'every' must be at least 1, got 0"):
        CleanOutputs(every=0)
