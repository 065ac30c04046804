from pathlib import Path

import autrainer
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

from autrainer_ext.models import CPMobile
from autrainer_ext.serving.inference import BatchedInference
from autrainer_ext.serving.model_directory import write_model_directory
from autrainer_ext_plugins.cli import CLI
from autrainer_ext_plugins.commands import inference


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = CPMobile(2, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]])
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    directory = tmp_path_factory.mktemp("served") / "model"
    write_model_directory(
        directory, network, ["a", "b"], configurations / "preprocessing/log_mel_16k.yaml"
    )
    return directory


@pytest.fixture
def run(model, tmp_path, monkeypatch):
    """Run `inference MODEL recordings out` in a folder with two recordings; its exit code."""
    noise = np.random.default_rng(0).normal(0, 0.1, 8000)
    for name in ("b.wav", "sub/a.wav"):
        path = tmp_path / "recordings" / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, noise, 16000)
    monkeypatch.chdir(tmp_path)

    def run(*options, output="out", served=model, inputs=("recordings",)):
        arguments = ["autrainer-ext", "inference", str(served), *inputs, output, "-q"]
        monkeypatch.setattr("sys.argv", [*arguments, *options])
        try:
            CLI(AutrainerCLI()).main()
        except SystemExit as exit:
            return exit.code
        return 0

    return run


def contents(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_all_files_are_predicted_and_embedded(run, tmp_path):
    assert run("-r", "-emb") == 0
    assert contents(tmp_path / "out") == ["b.pt", "results.csv", "results.yaml", "sub/a.pt"]
    table = pd.read_csv(tmp_path / "out/results.csv")
    assert table.columns.tolist() == ["filename", "prediction", "output", "a", "b"]
    assert table["filename"].tolist() == ["b.wav", "sub/a.wav"]
    predictions = yaml.safe_load((tmp_path / "out/results.yaml").read_text())
    assert predictions == dict(zip(table["filename"], table["prediction"], strict=True))
    assert torch.load(tmp_path / "out/b.pt", weights_only=True).ndim == 1


def test_some_bad_files_exit_with_3(run, tmp_path):
    Path("recordings/bad, \n.wav").touch()
    assert run() == 3
    errors = pd.read_csv(tmp_path / "out/errors.csv")
    assert errors.to_dict("list") == {"filename": ["bad, \n.wav"], "reason": ["empty (0 bytes)"]}
    assert pd.read_csv(tmp_path / "out/results.csv")["filename"].tolist() == ["b.wav"]


def test_only_bad_files_exit_with_1(run, tmp_path):
    Path("recordings/b.wav").write_text("text")
    with pytest.raises(CommandLineError, match="0 of 1 files predicted; see 'out/errors.csv'") as e:
        run()
    assert e.value.code == 1
    assert contents(tmp_path / "out") == ["errors.csv"]


def test_folder_with_other_files_is_left_alone(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(CommandLineError, match="'out' is not empty"):
        run()
    with pytest.raises(
        CommandLineError, match="contains 'notes.txt', which is not an earlier result"
    ):
        run("--overwrite")
    assert contents(tmp_path / "out") == ["notes.txt"]


def test_earlier_results_are_replaced_on_demand_only(run, tmp_path):
    Path("recordings/c.wav").touch()
    assert run("-emb") == 3
    Path("recordings/c.wav").unlink()
    with pytest.raises(CommandLineError, match="choose another, or add --overwrite"):
        run()
    assert "errors.csv" in contents(tmp_path / "out")
    assert run("--overwrite") == 0
    assert contents(tmp_path / "out") == ["results.csv", "results.yaml"]


def test_what_was_interrupted_is_continued(run, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("autrainer.serving.Inference.save_prediction_results", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run()
    (hidden,) = (tmp_path / "out").iterdir()
    kind, machine, _, start, chance = hidden.name.split("-")
    hidden.rename(hidden.with_name(f"{kind}-{machine}-1-{start}-{chance}"))  # process 1 is older
    monkeypatch.setattr(BatchedInference, "run", interrupted)  # nothing is predicted again
    assert run() == 0
    assert contents(tmp_path / "out") == ["results.csv", "results.yaml"]


def test_shards_give_the_tables_of_one_process(run, tmp_path, monkeypatch, shards_here):
    monkeypatch.setattr(inference, "_FILES_AT_ONCE", 1)
    Path("recordings/bad.wav").touch()
    options = ("-r", "-emb", "-w", "0.2", "-s", "0.1")
    assert run(*options, output="whole") == 3
    assert run(*options, "-j", "2", output="divided") == 3
    assert [started[-4:-1] for started in shards_here] == [
        ["--shard", "0", "2"],
        ["--shard", "1", "2"],
    ]
    names = contents(tmp_path / "whole")
    assert contents(tmp_path / "divided") == names
    assert {"results.csv", "results.yaml", "errors.csv", "b-0.00-0.20.pt"} <= set(names)
    for name in names:
        assert (tmp_path / "divided" / name).read_bytes() == (
            tmp_path / "whole" / name
        ).read_bytes()


@pytest.mark.slow
def test_shards_are_processes(run, tmp_path, monkeypatch):
    assert run("-r") == 0
    assert run("-r", "-j", "2", output="divided") == 0
    assert contents(tmp_path / "divided") == ["results.csv", "results.yaml"]
    divided = (tmp_path / "divided/results.csv").read_bytes()
    assert divided == (tmp_path / "out/results.csv").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_unknown_launcher_is_named(run):
    with pytest.raises(CommandLineError, match=r"Unknown launcher 'pbs'|needs submitit"):
        run("--launcher", "pbs")


def test_absurd_sample_rates_are_bad_files(run, tmp_path):
    content = bytearray(Path("recordings/b.wav").read_bytes())
    for rate in (0, 1, 44_099, 96_001, 2**31 - 1):
        content[24:28] = rate.to_bytes(4, "little")
        Path(f"recordings/rate{rate}.wav").write_bytes(content)
    assert run() == 3
    errors = pd.read_csv(tmp_path / "out/errors.csv").set_index("filename")["reason"]
    assert errors.index.tolist() == ["rate0.wav", "rate1.wav", "rate2147483647.wav"]
    assert "sample rate of 2147483647 Hz, expected 1000 to 768000 Hz" in errors.iloc[2]


def test_preprocessing_is_looked_up_by_name(run, tmp_path):
    own = tmp_path / "conf/preprocessing"
    own.mkdir(parents=True)
    assert run("-p", "log_mel_16k", output="host") == 0
    assert run("-p", "cp_mobile_32k", output="ours") == 0
    (own / "log_mel_16k.yaml").write_text("file_handler: no.Handler\npipeline: []\n")
    with pytest.raises(CommandLineError, match=r"no\.Handler"):
        run("-p", "log_mel_16k", output="own")
    with pytest.raises(CommandLineError, match="Unknown preprocessing configuration 'missing'"):
        run("-p", "missing", output="none")
    assert not (tmp_path / "own").exists()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("missing", ["model.yaml", "preprocess_pipeline.yaml", "_best/model.pt"])
def test_missing_file_of_the_model_is_named(run, model, tmp_path, missing):
    broken = tmp_path / "broken"
    for path in model.rglob("*.*"):
        copy = broken / path.relative_to(model)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (broken / missing).unlink()
    with pytest.raises(CommandLineError, match=missing):
        run(served=broken)
    assert not (tmp_path / "out").exists()


def test_missing_device_is_an_error(run, tmp_path):
    with pytest.raises(CommandLineError, match="Device 'cuda:99' does not exist on this machine"):
        run("--device", "cuda:99")
    assert not (tmp_path / "out").exists()


def test_folder_without_recordings_is_an_error(run, tmp_path):
    with pytest.raises(CommandLineError, match="No 'flac' files found in 'recordings'"):
        run("-e", "flac")
    assert not (tmp_path / "out").exists()


def test_quiet_prints_nothing(run, capsys):
    assert run() == 0
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_command_reports_bad_files(command, run, model, tmp_path):
    Path("recordings/bad.wav").write_text("text")
    result = command(
        "autrainer-ext", "inference", model, "recordings", "out", cwd=tmp_path, check=False
    )
    assert result.returncode == 3, result.stderr
    assert "1 of 2 files predicted; see 'out/errors.csv'" in result.stdout
    assert "Traceback" not in result.stderr


def test_single_files_and_folders_are_predicted_together(run, tmp_path):
    assert run("-r") == 0
    together = pd.read_csv("out/results.csv").set_index("filename")
    assert run(output="files", inputs=("recordings/sub/a.wav", "recordings")) == 0
    pd.testing.assert_frame_equal(pd.read_csv("files/results.csv").set_index("filename"), together)
    assert run(output="single", inputs=("recordings/b.wav",)) == 0
    assert pd.read_csv("single/results.csv")["filename"].tolist() == ["b.wav"]
