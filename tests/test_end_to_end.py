"""The real commands, as a user calls them: made data here, recorded speech where it is at hand."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from autrainer_ext.runs import find_runs, read_outputs
from autrainer_ext_plugins.commands.demo import SCORES

pytestmark = pytest.mark.slow

SCENES = 6
TEST_CLIPS = 600


@pytest.fixture(scope="module")
def demo(command, tmp_path_factory):
    """Folder of a finished demonstration, and what it printed."""
    directory = tmp_path_factory.mktemp("work") / "demo"
    printed = command("autrainer-ext", "demo", directory, cwd=directory.parent).stdout
    return directory, printed


@pytest.fixture(scope="module")
def runs(demo):
    return find_runs(demo[0] / "results", "demo")


@pytest.mark.old_host
def test_demo_prints_its_commands_and_names_what_it_made(demo):
    directory, printed = demo
    for program, verb in (
        ("autrainer", "fetch"),
        ("autrainer", "preprocess"),
        ("autrainer", "train"),
        ("autrainer-ext", "postprocess"),
        ("aucurriculum", "curriculum"),
        ("autrainer-ext", "inference"),
    ):
        assert f"\n$ {program} {verb} " in printed
    named = [line.split(": ")[0].strip() for line in printed.split("Look at\n")[1].splitlines()]
    assert len(named) == 8
    assert all(Path(path).exists() for path in named)
    assert str(directory) in named[0]


def test_demo_preprocesses_every_clip(demo):
    features = sorted((demo[0] / "data/ToyScenes/log_mel_16k").iterdir())
    assert len(features) == 1910
    assert np.load(features[0]).shape == (1, 101, 64)


def test_demo_trains_three_seeds_and_two_criteria(runs):
    names = {(run.config["dataset"]["id"], run.config["seed"]) for run in runs}
    criteria = ("ToyScenes-CrossEntropy", "ToyScenes-BalancedCrossEntropy")
    assert names == {(criterion, seed) for criterion in criteria for seed in (1, 2, 3)}
    assert all(run.is_complete and len(run.iterations) == 10 for run in runs)


def test_demo_is_clearly_above_chance(runs):
    for run in runs:
        outputs = read_outputs(run, "test")
        assert len(outputs.targets) == TEST_CLIPS
        accuracy = np.mean(outputs.outputs.argmax(axis=1) == outputs.targets)
        # 10 standard errors of guessing
        assert accuracy > 1 / SCENES + 10 * np.sqrt(5 / 36 / TEST_CLIPS), run.name


@pytest.mark.old_host
def test_demo_scores_every_training_clip(demo):
    scores = pd.read_csv(next(demo[0].glob(SCORES)))
    table = pd.read_csv(demo[0] / "data/ToyScenes/train.csv")
    assert scores["filename"].tolist() == table["filename"].tolist()
    assert scores["mean"].between(0, 1).all()
    assert scores["mean"].nunique() > 10


def test_demo_draws_the_triangle_of_its_runs(demo, runs):
    table = pd.read_csv(demo[0] / "results/demo/entropy_triangle/coordinates.csv")
    assert set(table["run"]) == {run.name for run in runs}
    assert set(table["criterion"]) == {"CrossEntropy", "BalancedCrossEntropy"}
    assert set(table["split"]) == {"train", "dev", "test"}
    assert set(table["iteration"]) == set(range(1, 11))
    assert set(table["stratum"]) == {"all", "a", "b", "c", "d"}
    shares = table[["divergence", "mutual_information", "variation"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-7)  # eight digits are written
    accuracy = {
        run.name: np.mean(o.outputs.argmax(axis=1) == o.targets)
        for run in runs
        for o in [read_outputs(run, "test", 10)]
    }
    last = table.query(
        "split == 'test' and iteration == 10 and stratum == 'all' and view == 'true'"
    )
    assert last.set_index("run")["accuracy"].to_dict() == pytest.approx(accuracy)


def test_demo_leaves_other_folders_alone(command, demo):
    directory, _ = demo
    before = sorted(directory.iterdir())
    result = command("autrainer-ext", "demo", directory, cwd=directory.parent, check=False)
    assert result.returncode == 1
    assert "exists and is not an empty folder" in result.stderr
    assert sorted(directory.iterdir()) == before


def test_loaded_run_reproduces_its_saved_outputs(demo, runs, monkeypatch):
    import torch

    from autrainer_ext.runs.load import load_run

    monkeypatch.chdir(demo[0])
    loaded = load_run(runs[0])
    for split in ("dev", "test"):
        loader = getattr(loaded.data, f"{split}_loader")
        with torch.inference_mode():
            outputs = np.concatenate([loaded.model(features).numpy() for features, *_ in loader])
        np.testing.assert_allclose(outputs, read_outputs(runs[0], split).outputs, atol=1e-5)


def test_host_predicts_the_same(command, demo, runs):
    directory, _ = demo
    command("autrainer", "inference", served(demo), "recordings", "predictions_host", cwd=directory)
    expected = pd.read_csv(directory / "predictions_host/results.csv").set_index("filename")
    found = pd.read_csv(directory / "predictions/results.csv").set_index("filename")
    assert len(found) == SCENES * 4
    expected = expected.loc[found.index]
    assert (found["prediction"] == expected["prediction"]).all()
    columns = found.columns.drop(["prediction", "output"])
    np.testing.assert_allclose(found[columns], expected[columns], atol=1e-5)


def served(demo):
    """Run directory the demonstration predicts with."""
    line = next(line for line in demo[1].splitlines() if " inference " in line)
    return line.split()[3]


@pytest.mark.old_host
def test_curriculum_trains_on_the_scores(command, demo):
    directory, _ = demo
    command("aucurriculum", "train", "-cn", "ext_demo_curriculum", "iterations=2", cwd=directory)
    (run,) = find_runs(directory / "results", "demo_curriculum")
    pace = pd.read_csv(run.path / "pace.csv")
    assert pace["dataset_size"].iloc[0] == 317  # 30 % of 1058
    assert pace["dataset_size"].iloc[-1] == 1058
    # sampling keeps the share of every scene, rounded
    assert len(read_outputs(run, "train_online", 1).indices) == 318


def test_recipes_of_the_readme_run_after_the_demo(demo, root, tmp_path):
    (recipes,) = re.findall(
        r"^## Recipes\n.*?(?=^## )", (root / "README.md").read_text(), re.M | re.S
    )
    folder = tmp_path / "autrainer-ext-demo"
    shutil.copytree(demo[0], folder)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for recording in sorted((folder / "recordings").iterdir())[3:]:
        recording.unlink()  # three are enough
    for run in (folder / "results/demo/training").glob("ToyScenes-*_[23]"):
        shutil.rmtree(run)  # as is one seed
    (folder / "conf").mkdir()
    for name in ("ext_demo", "ext_demo_curriculum"):  # fewer epochs and seeds than in the README
        text = (root / f"conf/{name}.yaml").read_text().replace("iterations: 10", "iterations: 2")
        (folder / f"conf/{name}.yaml").write_text(text.replace("seed: 1,2,3", "seed: 1"))
    script = "".join(re.findall(r"^```sh\n(.*?)^```", recipes, re.M | re.S))
    ran = subprocess.run(
        ["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    named = re.findall(r"`((?:results|explanations)/[^`]*)`", recipes)
    assert len(named) >= 4
    assert [path for path in named if not (folder / path).exists()] == []


@pytest.fixture(scope="module")
def digits(command, tmp_path_factory, shared):
    """Working folder with recorded digits, preprocessed."""
    directory = tmp_path_factory.mktemp("digits")
    source = str(shared / "fsdd")
    command("autrainer", "fetch", "-cn", "ext_fsdd", cwd=directory, FSDD_SOURCE=source)
    command("autrainer", "preprocess", "-cn", "ext_fsdd", "-n", 2, cwd=directory)
    return directory


def test_digits_train_with_one_speaker_held_out(command, digits):
    one_fold = ("dataset.test_speakers=[theo]", "iterations=60")
    command("autrainer", "train", "-cn", "ext_fsdd", *one_fold, cwd=digits)
    (run,) = find_runs(digits / "results", "fsdd")
    assert run.config["dataset"]["id"] == "FSDD-theo"
    outputs = read_outputs(run, "test")
    assert len(outputs.targets) == 500
    accuracy = np.mean(outputs.outputs.argmax(axis=1) == outputs.targets)
    assert accuracy > 0.3  # ten digits; 60 batches only


@pytest.mark.parametrize("place", ["checkout", "copy"])
def test_shipped_model_recognises_digits(command, root, shared, tmp_path, place):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for digit in range(10):
        for speaker in ("george", "theo"):
            shutil.copy(shared / f"fsdd/{digit}_{speaker}_3.wav", recordings)
    cwd = root
    if place == "copy":
        cwd = tmp_path / "elsewhere"
        shutil.copytree(root / "model", cwd / "model")
    arguments = ("model", recordings, tmp_path / "out", "-p", "log_mel_16k")
    command("autrainer", "inference", *arguments, cwd=cwd)
    table = pd.read_csv(tmp_path / "out/results.csv", dtype={"prediction": str})
    assert len(table) == 20
    assert (table["prediction"] == table["filename"].str[0]).sum() >= 19


def test_shipped_model_takes_any_length_level_and_rate(command, root, tmp_path):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    rng = np.random.default_rng(0)
    for name, rate, seconds, level in (
        ("short", 8000, 0.1, 0.1),
        ("long", 16000, 5, 0.1),
        ("quiet", 44100, 1, 1e-4),
        ("silent", 16000, 1, 0.0),
    ):
        samples = level * rng.normal(size=(int(rate * seconds), 1 + (name == "long")))
        soundfile.write(recordings / f"{name}.wav", samples.clip(-1, 1), rate)
    arguments = ("model", recordings, tmp_path / "out", "-p", "log_mel_16k")
    command("autrainer-ext", "inference", *arguments, cwd=root)
    table = pd.read_csv(tmp_path / "out/results.csv")
    assert len(table) == 4
    assert table.drop(columns=["filename", "output"]).notna().all(axis=None)


def test_published_weights_become_a_served_model(command, shared, tmp_path):
    reference = np.load(shared / "cp_mobile_tau22/reference_dog_1s.npz")
    (tmp_path / "wavs").mkdir()
    soundfile.write(tmp_path / "wavs/dog.wav", reference["waveform"], 32000, subtype="FLOAT")
    state = shared / "cp_mobile_tau22/state.npz"
    command("autrainer-ext", "import-cp-mobile", state, "tau22", cwd=tmp_path)
    command("autrainer", "inference", "tau22", "wavs", "out", cwd=tmp_path)
    table = pd.read_csv(tmp_path / "out/results.csv")
    logits = np.array(json.loads(table["output"][0]))
    np.testing.assert_allclose(logits, reference["logits"][0], atol=1e-3)
    assert table["prediction"][0] == "tram"
    again = command("autrainer-ext", "import-cp-mobile", state, "tau22", cwd=tmp_path, check=False)
    assert again.returncode == 1
    assert "exists and is not an empty folder" in again.stderr
