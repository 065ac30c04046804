"""The command `report` on trained runs."""

import json
from argparse import ArgumentParser

import numpy as np
import pandas as pd
import pytest
import soundfile
from autrainer.core.scripts import CommandLineError

from autrainer_ext_plugins.commands.report import ReportArgs, ReportScript


@pytest.mark.slow
def test_report_shows_what_is_there_and_names_the_rest(command, tiny, tmp_path):
    said = command("autrainer-ext", "report", "results", "clean", "-o", tmp_path / "page", cwd=tiny)
    assert "No audio: " in said.stdout  # features instead of audio
    html = (tmp_path / "page/index.html").read_text()
    assert "autrainer-ext postprocess results clean -p EntropyTriangle" in html
    for path in (tmp_path / "page").rglob("*.*"):
        assert str(tiny) not in path.read_text()
    again = command(
        "autrainer-ext",
        "report",
        "results",
        "clean",
        "-o",
        tmp_path / "page",
        cwd=tiny,
        check=False,
    )
    assert again.returncode == 1
    assert "is not empty: choose another, or add --overwrite" in again.stderr
    before = (tmp_path / "page/data.js").read_bytes()
    command(
        "autrainer-ext", "report", "results", "clean", "-o", tmp_path / "page", "--overwrite",
        "--clips", "0", cwd=tiny,
    )  # fmt: skip
    assert (tmp_path / "page/data.js").read_bytes() != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results", "cleam"], "does not exist"),
        (["results", "clean", "--clips", "-1"], "Option --clips must not be negative, got -1."),
        (["results", "clean", "--run", "3"], "Unknown run '3'"),
        (["results", "clean", "--explainer", "gradcam"], "Unknown explainer 'gradcam'"),
        (["results", "clean", "--mask", "bim"], "Unknown mask 'bim'"),
        (["results", "clean", "--targets", "t.csv"], "Option --targets is for a model directory"),
        (["results"], "Give the name of an experiment in 'results', or --audio"),
        (["nowhere", "--audio", "data"], "nowhere"),
    ],
)
def test_wrong_arguments_are_one_line(tiny, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tiny)
    script = ReportScript()
    script.parser = ArgumentParser()
    script.add_arguments()
    given = script.parser.parse_args([*arguments, "-o", str(tmp_path / "page"), "-q"])
    with pytest.raises(CommandLineError, match=message):
        script.main(ReportArgs(**vars(given)))
    assert not (tmp_path / "page").exists()


@pytest.mark.slow
def test_report_on_a_model_and_labelled_recordings(command, root, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "recordings").mkdir()
    for i in range(6):
        path = tmp_path / f"recordings/{i}.wav"
        soundfile.write(path, 0.1 * rng.normal(size=8000), 16000)
    (tmp_path / "recordings/6.wav").write_bytes(b"RIFF")
    table = {"filename": [f"{i}.wav" for i in range(7)], "target": 7, "device": list("aabbaab")}
    pd.DataFrame(table).to_csv(tmp_path / "truth.csv", index=False)
    said = command(
        "autrainer-ext", "report", root / "model", "--audio", "recordings",
        "--targets", "truth.csv", cwd=tmp_path, check=False,
    )  # fmt: skip
    assert said.returncode == 3, said.stderr
    assert "6.wav: " in said.stdout
    text = (tmp_path / "report/data.js").read_text()
    literal = text.removeprefix("window.STORY = JSON.parse(").removesuffix(");\n")
    story = json.loads(json.loads(literal))
    assert story["recordings"]["target"] == [7] * 6
    assert len(story["clips"]) == 6
    assert story["decision"]["served"] in ("adapted", "source")
    assert sum(each["n"] for each in story["decision"]["mix"]) == 6
    assert {row["device"] for row in story["devices"]["rows"]} == {"a", "b"}
    assert story["fidelity"]["rows"]
    assert story["triangle"]["points"]["n_samples"][0] == 6
    for path in (tmp_path / "report").rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes()
