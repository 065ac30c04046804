import os
import shutil
from pathlib import Path

import autrainer
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from autrainer.serving import Inference

from autrainer_ext.models import CPMobile
from autrainer_ext.serving import inference as inference_module
from autrainer_ext.serving.audio_files import collect_files
from autrainer_ext.serving.inference import BatchedInference
from autrainer_ext.serving.model_directory import write_model_directory

LABELS = [f"class {index}" for index in range(4)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = CPMobile(4, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]])
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    directory = tmp_path_factory.mktemp("served") / "model"
    log_mel = configurations / "preprocessing/log_mel_16k.yaml"
    write_model_directory(directory, network, LABELS, log_mel)
    return str(directory)


@pytest.fixture
def model_without_resampling(model, tmp_path):
    directory = shutil.copytree(model, tmp_path / "fixed rate")
    handler = directory / "preprocess_file_handler.yaml"
    text = handler.read_text()
    assert "target_sample_rate: 16000" in text
    handler.write_text(text.replace("target_sample_rate: 16000", "target_sample_rate: null"))
    return str(directory)


def noise(n_samples, channels=1, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (n_samples, channels))


@pytest.fixture
def recordings(tmp_path):
    """Usable files of many kinds and lengths, some in sub-folders."""
    folder = tmp_path / "recordings"
    (folder / "sub folder/deep").mkdir(parents=True)
    for index, n_samples in enumerate([8000, 8000, 12000, 8000, 20000, 8001]):
        soundfile.write(folder / f"{index}.wav", noise(n_samples, seed=index), 16000)
    for subtype in ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        soundfile.write(folder / f"{subtype}.wav", noise(8000), 16000, subtype=subtype)
    soundfile.write(folder / "stereo.wav", noise(8000, 2), 16000)
    soundfile.write(folder / "high.wav", noise(22050), 44100)
    soundfile.write(folder / "low.wav", noise(4000), 8000)
    soundfile.write(folder / 'übung 日本, "q".wav', noise(8000), 16000)
    soundfile.write(folder / "sub folder/deep/inner.wav", noise(8000), 16000)
    return str(folder)


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


BAD_FILES = {
    "holds no samples": lambda path: soundfile.write(path, noise(0), 16000),
    "too short to analyse: 100 samples (-m pads)": lambda path: soundfile.write(
        path, noise(100), 16000
    ),
    "empty (0 bytes)": lambda path: path.touch(),
    "not readable as audio: Format not recognised.": lambda path: path.write_text("hello"),
    "not readable as audio: Error in WAV file. No 'data' chunk marker.": lambda path: (
        soundfile.write(path, noise(8000), 16000),
        path.write_bytes(path.read_bytes()[:30]),
    ),
    "a folder": lambda path: path.mkdir(),
    "broken link": lambda path: path.symlink_to("nowhere"),
    "not a regular file": os.mkfifo,
    "holds samples that are not finite numbers": lambda path: soundfile.write(
        path, np.append(np.nan, noise(8000)), 16000, subtype="FLOAT"
    ),
}


@pytest.mark.parametrize("reason", BAD_FILES)
def test_bad_file_is_reported_and_the_rest_predicted(model, recordings, reason):
    expected = run(BatchedInference(model_path=model), recordings).results
    BAD_FILES[reason](Path(recordings, "3a.wav"))
    outcome = run(BatchedInference(model_path=model), recordings)
    assert outcome.errors.to_dict("records") == [{"filename": "3a.wav", "reason": reason}]
    pd.testing.assert_frame_equal(outcome.results, expected)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all files")
def test_unreadable_file_is_reported(model, recordings):
    Path(recordings, "0.wav").chmod(0)
    outcome = run(BatchedInference(model_path=model), recordings)
    assert outcome.errors["reason"].tolist() == ["no permission to read it"]


def test_undecodable_name_is_reported(model, recordings):
    Path(os.fsdecode(os.fsencode(recordings) + b"/bad\xff.wav")).touch()
    outcome = run(BatchedInference(model_path=model), recordings)
    assert outcome.errors["reason"].tolist() == ["its name is not valid text"]


def test_window_longer_than_a_file_is_an_error_of_that_file(model, recordings):
    options = {"window_length": 1.0, "stride_length": 0.5, "sample_rate": 16000}
    outcome = run(BatchedInference(model_path=model, **options), recordings)
    assert outcome.results["filename"].unique().tolist() == ["4.wav"]
    reason = dict(outcome.errors.to_numpy())["0.wav"]
    assert reason == "shorter than one window: 8000 of 16000 samples"
    padded = run(BatchedInference(model_path=model, min_length=1.0, **options), recordings)
    assert len(padded.errors) == 0


def test_sample_rate_that_cannot_be_changed_is_reported(model_without_resampling, recordings):
    outcome = run(BatchedInference(model_path=model_without_resampling), recordings)
    expected = "sampled at 8000 Hz where the model expects 16000 Hz and does not resample"
    assert dict(outcome.errors.to_numpy())["low.wav"] == expected
    assert set(outcome.errors["filename"]) == {"low.wav", "high.wav"}


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
    monkeypatch.setattr(inference_module, "_BATCH_VALUES", 2 * 51 * 64)  # two half-second inputs
    inference = BatchedInference(model_path=model)
    compute, sizes = inference._compute, []
    monkeypatch.setattr(
        inference, "_compute", lambda batch, emb: sizes.append(len(batch)) or compute(batch, emb)
    )
    expected = run(BatchedInference(model_path=model), recordings).results
    outcome = run(inference, recordings)
    assert max(sizes) == 2
    assert outcome.results["filename"].tolist() == expected["filename"].tolist()


def test_broken_model_is_named(model, tmp_path):
    with pytest.raises(ValueError, match=r"^Model '.*' cannot be loaded: "):
        BatchedInference(model_path=str(tmp_path))


def test_lengths_need_a_sample_rate(model_without_resampling):
    with pytest.raises(ValueError, match="Lengths in seconds need a sample rate"):
        BatchedInference(model_path=model_without_resampling, min_length=1.0)
