import sys
from pathlib import Path

import autrainer
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI
from autrainer.serving import Inference

from autrainer_ext.models import CPMobile
from autrainer_ext.runs import find_runs, read_outputs
from autrainer_ext.serving.model_directory import write_model_directory
from autrainer_ext_plugins.cli import CLI
from autrainer_ext_plugins.plugin import load_plugin

CLASSES = ["a", "b", "c"]
TABLES = Path("results/other/evaluate/recordings_model")
RUN = Path("results/other/training/recordings_model")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = CPMobile(3, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]])
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    directory = tmp_path_factory.mktemp("served") / "model"
    write_model_directory(
        directory, network, CLASSES, configurations / "preprocessing/log_mel_16k.yaml"
    )
    return directory


@pytest.fixture
def run(model, tmp_path, monkeypatch):
    """Run `evaluate MODEL ...` beside twelve recordings and their table; the exit code."""
    rng = np.random.default_rng(0)
    (tmp_path / "recordings").mkdir()
    for index in range(12):
        noise = rng.normal(0, 0.1, 8000) * np.sin(np.arange(8000) / (3 + 5 * index))
        soundfile.write(tmp_path / f"recordings/{index:02}.wav", noise, 16000)
    names = [f"{index:02}.wav" for index in range(12)]
    table = pd.DataFrame({"filename": names, "target": CLASSES * 4, "device": ["x", "y"] * 6})
    table.to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.chdir(tmp_path)

    def run(*options, source=model, output="results/other"):
        arguments = ["autrainer-ext", "evaluate", str(source), "-o", output, *options]
        monkeypatch.setattr("sys.argv", arguments)
        try:
            CLI(AutrainerCLI()).main()
        except SystemExit as exit:
            return exit.code
        except CommandLineError as error:  # the console script prints it and exits
            print(error.message, file=sys.stderr)
            return error.code
        return 0

    return run


FOLDER = ("--audio", "recordings", "--targets", "t.csv")


def test_saved_outputs_are_those_of_the_host(run, model, capsys):
    assert run(*FOLDER) == 0
    host = Inference(model_path=str(model)).predict_directory("recordings", "wav")
    expected = host.sort_values("filename")["output"].tolist()
    (saved,) = find_runs("results", "other")
    outputs = read_outputs(saved, "test")
    np.testing.assert_allclose(outputs.outputs, expected, atol=1e-5)
    assert outputs.targets.tolist() == [0, 1, 2] * 4
    scores = pd.read_csv(TABLES / "scores.csv")
    is_correct = outputs.outputs.argmax(axis=1) == outputs.targets
    assert scores["accuracy"][0] == pytest.approx(is_correct.mean())
    assert scores["stratum"].tolist() == ["all", "x", "y"]
    assert "12 of 12 recordings used" in capsys.readouterr().out
    assert not (TABLES / "differences.csv").exists()  # a model directory has no test split
    assert (TABLES / "triangle/criteria_test.png").stat().st_size > 0


@pytest.mark.slow
def test_plugins_read_the_outputs(run):
    assert run(*FOLDER, "-q") == 0
    runs = find_runs("results", "other")
    scores = pd.read_csv(TABLES / "scores.csv").set_index("stratum")
    for name, folder in (("Devices", "devices"), ("EntropyTriangle", "triangle")):
        Path(folder).mkdir()
        load_plugin(name).run(runs, Path(folder))
    devices = pd.read_csv("devices/devices.csv").set_index("device")
    for device in ("x", "y"):
        for name in ("accuracy", "log_loss"):
            assert devices[name][device] == pytest.approx(scores[name][device])
        assert devices["group"][device] == "unseen"
    triangle = pd.read_csv("triangle/coordinates.csv").query("view == 'pred'")
    assert triangle["stratum"].tolist() == ["all", "x", "y"]
    assert triangle["balanced_accuracy"].tolist() == pytest.approx(
        scores["balanced_accuracy"].tolist()
    )


@pytest.mark.slow
def test_a_saved_run_is_compared_with_its_own_test(run, capsys):
    """The same recordings again: no difference, and the same device on both sides."""
    assert run(*FOLDER, "-q") == 0
    assert run(*FOLDER, source=RUN, output="results/again") == 0
    (folder,) = Path("results/again/evaluate").iterdir()
    differences = pd.read_csv(folder / "differences.csv")
    assert (differences["difference"] == 0).all()
    assert (differences["reference"] == differences["stratum"]).all()
    assert set(pd.read_csv(folder / "scores.csv")["data"]) == {"recordings", "own test"}
    assert "difference +0.000" in capsys.readouterr().out
    triangle = pd.read_csv(folder / "triangle/coordinates.csv")
    assert set(triangle["run"]) == {"recordings", "own test"}


def test_classes_are_mapped_and_columns_chosen(run):
    table = pd.read_csv("t.csv").replace({"target": {"a": "apple", "c": "cherry"}})
    table.assign(place=list("pppppqqqqqqq")).to_csv("t.csv", index=False)
    Path("map.yaml").write_text("apple: a\ncherry:\n")
    assert run(*FOLDER, "--classes", "map.yaml", "--strata", "place", "-q") == 0
    scores = pd.read_csv(TABLES / "scores.csv")
    assert scores["n_samples"].tolist() == [8, 4, 4]
    assert scores["stratum"].tolist() == ["all", "p", "q"]
    saved = pd.read_csv(RUN / "_metadata/test.csv")
    assert set(saved["target"]) == {"a", "b"}


def test_bad_recordings_are_left_out_and_reported(run):
    Path("recordings/03.wav").write_text("no audio")
    Path("recordings/05.wav").unlink()
    assert run(*FOLDER, "-q") == 3
    assert pd.read_csv(TABLES / "errors.csv")["filename"].tolist() == ["03.wav", "05.wav"]
    (saved,) = find_runs("results", "other")
    assert read_outputs(saved, "test").targets.tolist() == [0, 1, 2, 1, 0, 1, 2, 0, 1, 2]
    assert len(pd.read_csv(RUN / "_metadata/test.csv")) == 10


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "either --dataset or --audio"),
        (("--dataset", "FSDD", *FOLDER), 2, "either --dataset or --audio"),
        (("--audio", "recordings"), 2, "need each other"),
        (("--dataset", "FSDD", "--targets", "t.csv"), 2, "need each other"),
        (("--dataset", "FSD"), 1, "Did you mean 'FSDD'"),
        (("--dataset", "FSDD"), 1, "has no audio in 'data/FSDD/default'"),
        ((*FOLDER, "--strata", "devise"), 1, "Did you mean 'device'"),
        ((*FOLDER, "--classes", "nowhere.yaml"), 1, "'nowhere.yaml' must map"),
        ((*FOLDER, "-c", "_last"), 1, "Checkpoint"),
    ],
)
def test_wrong_usage_writes_nothing(run, capsys, options, code, message):
    assert run(*options, "-q") == code
    assert message in capsys.readouterr().err
    assert not Path("results").exists()


@pytest.mark.slow
def test_earlier_results_are_kept(run, capsys):
    assert run(*FOLDER, "-q") == 0
    assert run(*FOLDER, "-q") == 1
    assert "is not an empty folder" in capsys.readouterr().err


def test_no_usable_recording_leaves_nothing(run, capsys):
    for file in Path("recordings").iterdir():
        file.write_text("no audio")
    assert run(*FOLDER, "-q") == 1
    assert "No recording can be used: '00.wav'" in capsys.readouterr().err
    assert not Path("results").exists()
