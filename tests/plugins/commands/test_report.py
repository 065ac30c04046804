"""The command `report` on trained runs."""

from argparse import ArgumentParser

import pytest
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
        (["results", "claen"], "does not exist"),
        (["results", "clean", "--clips", "-1"], "Option --clips must not be negative, got -1."),
        (["results", "clean", "--run", "3"], "Unknown run '3'"),
        (["results", "clean", "--explainer", "gradcam"], "Unknown explainer 'gradcam'"),
        (["results", "clean", "--mask", "bim"], "Unknown mask 'bim'"),
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
