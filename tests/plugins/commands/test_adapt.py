import shutil
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
from autrainer_ext.runs.load import load_model
from autrainer_ext.serving.model_directory import write_model_directory
from autrainer_ext_plugins.cli import CLI


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = CPMobile(3, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]])
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    directory = tmp_path_factory.mktemp("served") / "model"
    write_model_directory(
        directory, network, ["a", "b", "c"], configurations / "preprocessing/log_mel_16k.yaml"
    )
    return directory


@pytest.fixture
def run(model, tmp_path, monkeypatch):
    """Run `adapt MODEL recordings out` in a folder with twelve recordings; its exit code."""
    rng = np.random.default_rng(0)
    (tmp_path / "recordings").mkdir()
    for index in range(12):
        noise = rng.normal(0, 0.1, 8000) * np.sin(np.arange(8000) / (3 + index))
        soundfile.write(tmp_path / f"recordings/{index:02}.wav", noise, 16000)
    monkeypatch.chdir(tmp_path)

    def run(*options, output="out", source=model, inputs=("recordings",)):
        arguments = ["autrainer-ext", "adapt", str(source), *inputs, output, "-q"]
        monkeypatch.setattr("sys.argv", [*arguments, *options])
        try:
            CLI(AutrainerCLI()).main()
        except SystemExit as exit:
            return exit.code
        except CommandLineError as error:  # the console script prints it and exits
            print(error.message, file=sys.stderr)
            return error.code
        return 0

    return run


def state(directory):
    return load_model(directory).state_dict()


def test_host_serves_the_adapted_model(run, model, tmp_path):
    options = ["--method", "tent", "--learning-rate", "0.01", "-b", "4", "--passes", "2"]
    assert run(*options, "--always") == 0
    host = Inference(str(tmp_path / "out"))
    _, output, _ = host.predict_file(str(tmp_path / "recordings/03.wav"))
    assert torch.isfinite(output).all()
    before, after = state(model), state(tmp_path / "out")
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert all(name.endswith((".1.weight", ".1.bias")) or "running" in name or "tracked" in name
               for name in moved)  # fmt: skip
    steps = pd.read_csv(tmp_path / "out/steps.csv")
    assert steps["n_samples"].tolist() == [4] * 6
    assert steps["pass"].tolist() == [0] * 3 + [1] * 3
    assert steps["event"].eq("adapted").all()
    assert np.allclose(steps["loss"], steps["entropy"])
    assert steps["predicted_entropy"].between(0, np.log2(3)).all()
    assert not (tmp_path / "out/errors.csv").exists()


def test_statistics_of_the_served_model_are_those_of_folder_and_source(run, model, tmp_path):
    assert run("--method", "batch_norm", "-b", "12", "--always") == 0
    host = Inference(str(model))
    features = torch.cat([
        host._preprocess_file(host.file_handler.load(str(path)))
        for path in sorted((tmp_path / "recordings").glob("*.wav"))
    ])  # fmt: skip
    adapted = load_model(tmp_path / "out")
    maps = adapted.stem[0][0](features.transpose(2, 3)).mean((0, 2, 3))
    source = load_model(model).stem[0][1].running_mean
    expected = (12 * maps.detach() + 16 * source) / 28
    torch.testing.assert_close(adapted.stem[0][1].running_mean, expected)


def test_same_seed_same_model(run, tmp_path):
    options = ["--method", "ntta", "-b", "6", "--seed", "3", "--always", "-o", "guard=false"]
    assert run(*options) == run(*options, output="again") == 0
    first, second = state(tmp_path / "out"), state(tmp_path / "again")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_model_stays_where_nothing_is_clearly_better(run, model, tmp_path, capsys):
    assert run("-b", "12") == 0
    table = pd.read_csv(tmp_path / "out/adaptation.csv").set_index("candidate")
    assert table["served"].to_dict() == {"source": True, "statistics": False}
    assert "The model is unchanged: 12 files are too few" in table.loc["source", "reason"]
    shares = table[[name for name in table if name.startswith("share_")]]
    assert list(shares) == ["share_a", "share_b", "share_c"]
    assert np.allclose(shares.sum(axis=1), 1)
    assert not (tmp_path / "out/steps.csv").exists()
    before, after = state(model), state(tmp_path / "out")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_decision_is_told_in_words(model, run, capsys, monkeypatch):
    assert run() == 0
    assert not capsys.readouterr().out
    arguments = ["autrainer-ext", "adapt", str(model), "recordings", "told"]
    monkeypatch.setattr("sys.argv", arguments)
    CLI(AutrainerCLI()).main()
    assert "of 12 files look like class" in capsys.readouterr().out.splitlines()[-1]


def test_targets_that_are_no_classes_are_refused(run, model, tmp_path, capsys):
    shutil.copytree(model, "regression")
    text = Path("regression/target_transform.yaml").read_text()
    Path("regression/target_transform.yaml").write_text(
        text.replace("label_encoder.LabelEncoder", "min_max_scaler.MinMaxScaler")
    )
    assert run(source="regression") == 1
    assert "'regression' has targets of type MinMaxScaler." in capsys.readouterr().err


def test_bad_files_are_told_and_left_out(run, tmp_path):
    Path("recordings/bad.wav").write_text("no audio")
    soundfile.write("recordings/long.wav", np.random.default_rng(1).normal(0, 0.1, 9000), 16000)
    assert run("--method", "tent", "-b", "12", "--always") == 3
    errors = pd.read_csv(tmp_path / "out/errors.csv")
    assert errors["filename"].tolist() == ["bad.wav", "long.wav"]
    assert errors["reason"][0] == "not readable as audio: Format not recognised."
    assert "features have shape (1, 57, 64), most have (1, 51, 64)" in errors["reason"][1]
    assert pd.read_csv(tmp_path / "out/steps.csv")["n_samples"].tolist() == [12] * 3
    assert run("--method", "tent", "--length", "0.5", output="even") == 3
    assert pd.read_csv("even/errors.csv")["filename"].tolist() == ["bad.wav"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-e", "flac"), "No 'flac' files found in 'recordings'."),
        (("-c", "epoch_9"), "epoch_9/model.pt' does not exist."),
        (("-b", "1"), "Option --batch-size must be at least 2, got 1."),
        (("--device", "cuda:99"), "Device 'cuda:99' does not exist on this machine"),
        (("--passes", "0"), "Option --passes must be positive, got 0."),
        (("--resume", "a.pt"), "Option --resume needs --stream."),
        (("--stream", "--resume", "a.pt"), "File 'a.pt' of the stream does not exist."),
        (("-o", "entropy"), "A setting of the method has the form NAME=VALUE, got 'entropy'."),
        (("-o", "entropi=1"), "Method 'ntta'"),
        (("--learning-rate", "-1"), "Argument 'learning_rate' must be positive, got -1.0."),
        (("--length", "0"), "The length must be positive, got 0.0 s."),
        (
            ("--length", "0.001"),
            "Only 0 of 12 files can be used, at least 2 are needed ('00.wav': too short",
        ),
        (
            ("--method", "batch_norm", "--learning-rate", "1"),
            "Method 'batch_norm' has no options --learning-rate",
        ),
    ],
)
def test_mistakes_are_told_in_a_line_and_nothing_is_written(run, capsys, options, message):
    assert run(*options) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["recordings"]


def test_what_is_there_is_not_overwritten(run, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    assert run() == 1
    assert (
        "Output 'out' exists and is not an empty folder: choose another." in capsys.readouterr().err
    )
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["notes.txt"]
    assert run(source=tmp_path, output="new") == 1
    assert "_best/model.pt' does not exist." in capsys.readouterr().err


def test_single_files_are_used(run):
    inputs = [f"recordings/{index:02}.wav" for index in range(4)]
    options = ("--method", "batch_norm", "--always")
    assert run(*options, inputs=inputs) == 0
    assert pd.read_csv("out/steps.csv")["n_samples"].tolist() == [4] * 3


def test_stream_predicts_all_files_and_can_be_continued(run, tmp_path):
    options = ["--stream", "--method", "tent", "-b", "4"]
    assert run(*options) == 0
    whole = pd.read_csv("out/predictions.csv")
    assert whole["filename"].tolist() == [f"{index:02}.wav" for index in range(12)]
    assert set(whole["prediction"]) <= {"a", "b", "c"}
    files = [f"recordings/{index:02}.wav" for index in range(12)]
    assert run(*options, inputs=files[:6], output="first") == 0
    resumed = ["--resume", "first/stream.pt"]
    assert run(*options, *resumed, inputs=files[6:], output="second") == 0
    parts = pd.concat([pd.read_csv(f"{name}/predictions.csv") for name in ("first", "second")])
    assert np.allclose(parts["confidence"], whole["confidence"], atol=1e-5)
    first, second = state(tmp_path / "out"), state(tmp_path / "second")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_stream_goes_on_after_a_bad_file(run):
    Path("recordings/03.wav").write_text("no audio")
    assert run("--stream", "-b", "4") == 3
    assert len(pd.read_csv("out/predictions.csv")) == 11
    assert pd.read_csv("out/errors.csv")["filename"].tolist() == ["03.wav"]
