import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from autrainer.transforms import SmartCompose

from autrainer_ext.serving.audio_files import collect_files
from autrainer_ext.serving.audio_reader import AudioReader
from autrainer_ext.serving.inference import BatchedInference


def noise(n_samples, channels=1, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (n_samples, channels))


def run(inference, folder, recursive=False, **options):
    return inference.run(folder, collect_files(folder, "wav", recursive), **options)


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


def test_broken_model_is_named(model, tmp_path):
    with pytest.raises(ValueError, match=r"^Model '.*' cannot be loaded: "):
        AudioReader(model_path=str(tmp_path))


def test_default_sample_rate_is_the_resampled_rate_then_that_of_the_front_end(
    model, model_without_resampling
):
    assert AudioReader(model_path=model).sample_rate == 16000
    fixed = AudioReader(model_path=model_without_resampling, min_length=1.0)
    assert (fixed.resampled_rate, fixed.sample_rate) == (None, 16000)
    assert AudioReader(model_path=model, sample_rate=8000).sample_rate == 8000


def test_lengths_need_a_sample_rate(model_without_resampling, tmp_path):
    directory = shutil.copytree(model_without_resampling, tmp_path / "no rate")
    SmartCompose([]).to_yaml(str(directory / "preprocess_pipeline.yaml"))
    with pytest.raises(ValueError, match="Lengths in seconds need a sample rate, and the model"):
        AudioReader(model_path=str(directory), min_length=1.0)
