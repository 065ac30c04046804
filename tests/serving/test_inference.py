from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from autrainer.serving import Inference

from autrainer_ext.serving import inference as inference_module
from autrainer_ext.serving.audio_files import collect_files
from autrainer_ext.serving.inference import BatchedInference

LABELS = [f"class {index}" for index in range(4)]


def noise(n_samples, channels=1, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (n_samples, channels))


def run(inference, folder, recursive=False, **options):
    return inference.run(folder, collect_files(folder, "wav", recursive), **options)


def assert_same(ours, theirs):
    order = {name: i for i, name in enumerate(ours["filename"].unique())}
    theirs = theirs.sort_values("filename", key=lambda c: c.map(order), kind="stable")
    theirs = theirs.reset_index(drop=True)
    assert list(ours.columns) == list(theirs.columns)
    for column in ours.columns.intersection(["filename", "offset", "prediction"]):
        assert ours[column].tolist() == theirs[column].tolist()
    for mine, expected in zip(ours["output"], theirs["output"], strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-5)
    np.testing.assert_allclose(ours[LABELS].astype(float), theirs[LABELS].astype(float), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_predictions_are_those_of_the_host(model, recordings, batch_size):
    outcome = run(BatchedInference(model_path=model, batch_size=batch_size), recordings, True)
    assert_same(outcome.results, Inference(model).predict_directory(recordings, "wav", True, 0))
    assert len(outcome.errors) == 0


def test_windows_are_those_of_the_host(model, recordings):
    options = {"window_length": 0.3, "stride_length": 0.1, "sample_rate": 16000}
    outcome = run(BatchedInference(model_path=model, batch_size=4, **options), recordings)
    theirs = Inference(model, **options).predict_directory(recordings, "wav", False, 0)
    assert_same(outcome.results, theirs)
    assert (outcome.results["offset"] == "majority").sum() == 15


def test_padding_is_that_of_the_host(model, recordings):
    soundfile.write(Path(recordings, "short.wav"), noise(100), 16000)
    soundfile.write(Path(recordings, "none.wav"), noise(0), 16000)
    options = {"min_length": 0.7, "sample_rate": 16000}
    outcome = run(BatchedInference(model_path=model, **options), recordings)
    assert_same(
        outcome.results, Inference(model, **options).predict_directory(recordings, "wav", False, 0)
    )


def test_embeddings_are_those_of_the_host(model, recordings):
    outcome = run(BatchedInference(model_path=model), recordings, embeddings=True)
    theirs = Inference(model).embed_directory(recordings, "wav", update_frequency=0)
    theirs = theirs.set_index("filename")["embedding"]
    assert set(outcome.embeddings["filename"]) == set(theirs.index)
    for row in outcome.embeddings.to_dict("records"):
        torch.testing.assert_close(row["embedding"], theirs[row["filename"]], atol=1e-5, rtol=0)
        assert row["embedding"].untyped_storage().nbytes() == 4 * row["embedding"].numel()


def test_order_is_sorted_whatever_the_shapes(model, recordings):
    outcome = run(BatchedInference(model_path=model, batch_size=2), recordings)
    names = outcome.results["filename"].tolist()
    assert names == sorted(names)


def test_model_failure_concerns_one_file(model, recordings, monkeypatch):
    inference = BatchedInference(model_path=model)
    forward = inference.model.forward

    def fragile(features):
        if (features.amax(dim=(1, 2, 3)) > 20).any():
            raise RuntimeError("too loud\nsecond line")
        return forward(features)

    monkeypatch.setattr(inference.model, "forward", fragile)
    soundfile.write(Path(recordings, "loud.wav"), 200 * noise(8000), 16000, subtype="FLOAT")
    outcome = run(inference, recordings)
    assert outcome.errors["reason"].tolist() == ["the model failed: too loud"]
    assert len(outcome.results) == 15


def test_model_output_must_be_finite(model, recordings, monkeypatch):
    inference = BatchedInference(model_path=model)
    monkeypatch.setattr(inference.model, "forward", lambda x: torch.full((len(x), 4), torch.nan))
    outcome = run(inference, recordings)
    assert set(outcome.errors["reason"]) == {"the output of the model is not finite"}
    assert len(outcome.results) == 0


def test_waiting_features_are_bounded(model, recordings, monkeypatch):
    monkeypatch.setattr(inference_module, "_HELD_VALUES", 2 * 51 * 64)  # two half-second inputs
    inference = BatchedInference(model_path=model)
    compute, sizes = inference_module._compute, []
    monkeypatch.setattr(
        inference_module, "_compute", lambda batch, f: sizes.append(len(batch)) or compute(batch, f)
    )
    outcome = run(inference, recordings)
    assert max(sizes) == 2
    monkeypatch.undo()
    expected = run(BatchedInference(model_path=model), recordings).results
    assert outcome.results["filename"].tolist() == expected["filename"].tolist()
