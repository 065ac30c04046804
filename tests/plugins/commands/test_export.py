"""The command on the shipped model and synthetic recordings."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

from autrainer_ext_plugins.cli import CLI


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["autrainer-ext", *map(str, arguments)])
    try:
        CLI(AutrainerCLI()).main()
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    generator = np.random.default_rng(1)
    for index in range(6):
        time = np.arange(4000 + 2500 * index) / 16_000
        sound = np.sin(2 * np.pi * 300 * (index + 1) * time) * np.exp(-3 * time)
        samples = 0.3 * sound + 0.01 * generator.normal(size=len(time))
        soundfile.write(folder / f"{index}.wav", samples, 16_000)
    (folder / "broken.wav").write_text("no audio")
    return folder


def test_files_give_the_results_of_the_model(root, tmp_path, recordings, monkeypatch):
    out, truth = tmp_path / "out", tmp_path / "truth.csv"
    table = pd.DataFrame({"filename": [f"{index}.wav" for index in range(6)]})
    table.assign(target=range(6), device=["a", "b"] * 3).to_csv(truth, index=False)
    options = ("--int8", "--calibration", recordings, "--audio", recordings, "--targets", truth)
    code = run(monkeypatch, "export", root / "model", out, "--front-end", "-q", *options)
    assert code == 3  # the broken file
    assert pd.read_csv(out / "errors.csv")["filename"].tolist() == ["broken.wav"]
    budget = pd.read_csv(out / "budget.csv").set_index(["input", "precision"])
    assert (
        budget.loc[("waveform", "int8"), "file_bytes"] == (out / "model_int8.onnx").stat().st_size
    )
    assert (budget["parameters"] == 13_996).all()
    card = (out / "card.md").read_text()
    assert "| bytes of 13,996 parameters in int8 | 13,996 | 128,000 | 11% |" in card
    differences = pd.read_csv(out / "differences.csv")
    assert differences["stratum"].unique().tolist() == ["all", "a", "b"]
    assert pd.read_csv(out / "scores.csv")["data"].unique().tolist() == ["float32", "int8"]
    assert len(pd.read_csv(out / "explanations.csv")) == 6
    assert (out / "triangle" / "coordinates.csv").is_file()

    results = {}
    for name, model in (("model", root / "model"), ("file", out / "model.onnx")):
        for windows in ((), ("-w", "0.4", "-s", "0.2")):
            folder = tmp_path / f"{name}{len(windows)}"
            assert run(monkeypatch, "inference", model, recordings, folder, "-q", *windows) == 3
            results[name, len(windows)] = pd.read_csv(folder / "results.csv")
    for windows in (0, 4):
        one, other = results["model", windows], results["file", windows]
        pd.testing.assert_frame_equal(
            other.drop(columns="output"), one.drop(columns="output"), atol=1e-5
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--int8",), "Options --int8 and --calibration need each other"),
        (("--audio", "x"), "Options --audio and --targets need each other"),
        (("--audio", "x", "--targets", "y"), "Option --audio needs --int8"),
    ],
)
def test_options_need_each_other(root, tmp_path, options, message, monkeypatch):
    with pytest.raises(CommandLineError) as error:
        run(monkeypatch, "export", root / "model", tmp_path / "out", *options)
    assert message in error.value.message
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_not_exported_is_refused(root, tmp_path, recordings, monkeypatch):
    import torch
    from torch import nn

    from autrainer_ext.serving.forward import to_onnx

    path = tmp_path / "other.onnx"
    path.write_bytes(to_onnx(nn.Flatten(), torch.ones(1, 2)))
    with pytest.raises(CommandLineError) as error:
        run(monkeypatch, "inference", path, recordings, tmp_path / "out")
    assert "was not written by autrainer-ext export" in error.value.message
