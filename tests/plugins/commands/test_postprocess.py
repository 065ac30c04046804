import shutil

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

NO_PLUGIN = "id: NoPlugin\n_target_: fractions.Fraction\n"
CONFIG = "id: RunNames\n_target_: run_names.RunNames\nautomatic: true\nsuffix: '!'\n"

BREAKING = """
from autrainer_ext_plugins.plugin import AbstractPlugin


class Breaking(AbstractPlugin):
    folder = "breaking"

    def run(self, runs, folder):
        {}["target_column"]
"""


@pytest.fixture(scope="module")
def project(tiny, tmp_path_factory):
    """A user's folder with the runs and a plugin of the user."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(tiny / "results", folder / "results")
    (folder / "conf/plugin").mkdir(parents=True)
    (folder / "conf/plugin/RunNames.yaml").write_text(CONFIG)
    (folder / "conf/plugin/NoPlugin.yaml").write_text(
        "id: NoPlugin\n_target_: fractions.Fraction\n"
    )
    (folder / "run_names.py").symlink_to(tiny / "run_names.py")
    return folder


def test_a_plugin_of_the_user_runs_after_the_summary(project, command):
    results = project / "results/clean"
    names = sorted(path.name for path in (results / "training").glob("Tiny_*"))
    notes = results / "names/notes.txt"
    printed = command(
        "autrainer-ext", "postprocess", "results", "clean", "-a", "seed", "-p", "RunNames",
        cwd=project,
    ).stdout  # fmt: skip
    assert "RunNames: results/clean/names" in printed
    assert (results / "summary/metrics.csv").is_file()
    assert pd.read_csv(results / "names/names.csv")["run"].tolist() == [f"{n}!" for n in names]
    notes.write_text("mine")
    command(
        "autrainer-ext", "postprocess", "results", "clean", "--no-summary", "-p", "RunNames",
        "-o", "suffix=x", cwd=project,
    )  # fmt: skip
    assert pd.read_csv(results / "names/names.csv")["run"].tolist() == [f"{n}x" for n in names]
    assert notes.read_text() == "mine"


def test_without_names_those_run_that_say_so(project, command):
    # NoPlugin, which could not be loaded, says nothing
    printed = command(
        "autrainer-ext", "postprocess", "results", "plain", "--no-summary", cwd=project
    ).stdout
    ran = [line.split(":")[0] for line in printed.splitlines() if ": results/plain/" in line]
    assert ran == ["EntropyTriangle", "RunNames"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-p Nothing", "Unknown plugin 'Nothing'."),
        ("-p RunNames -o colour=red", "Unknown RunNames setting 'colour'. Choose from: suffix, "),
        ("-p RunNames -o suffix=1", "Argument 'suffix' must be text, got 1."),
        ("-p RunNames -o suffix", "Option -o needs KEY=VALUE, got 'suffix'."),
        ("-p RunNames -o suffix=fail", "RunNames: this run is not to its liking."),
        ("-p LatentSpace --device gpu", "Unknown device 'gpu'."),
        ("-o suffix=x", "Option -o needs exactly one plugin, named with -p."),
        ("-p NoPlugin", "NoPlugin.yaml'): Class Fraction is not a plugin: it does"),
    ],
)
def test_mistakes_are_told_in_a_line(project, command, arguments, message):
    result = command(
        "autrainer-ext", "postprocess", "results", "plain", "--no-summary", *arguments.split(),
        cwd=project, check=False,
    )  # fmt: skip
    assert result.returncode in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_every_plugin_is_tried_and_failures_are_listed_at_the_end(project, command):
    (project / "breaking.py").write_text(BREAKING)
    (project / "conf/plugin/Breaking.yaml").write_text(
        "id: Breaking\n_target_: breaking.Breaking\n"
    )
    result = command(
        "autrainer-ext", "postprocess", "results", "plain", "--no-summary",
        "-p", "Breaking", "Devices", "RunNames", cwd=project, check=False,
    )  # fmt: skip
    assert result.returncode == 3
    assert "RunNames: results/plain/names" in result.stdout
    breaking, devices = result.stderr.splitlines()[-2:]
    assert breaking == "Breaking: KeyError: 'target_column'"
    assert devices.startswith("Devices: Run ")


def test_an_unfinished_run_is_left_out_with_the_remedy(project, command, tmp_path):
    results = tmp_path / "results/clean"
    shutil.copytree(project / "results/clean/training", results / "training")
    (tmp_path / "conf").symlink_to(project / "conf")
    (tmp_path / "run_names.py").symlink_to(project / "run_names.py")
    first, second = sorted((results / "training").glob("Tiny_*"))
    (first / "metrics.csv").unlink()
    result = command(
        "autrainer-ext", "postprocess", "results", "clean", "-p", "RunNames", cwd=tmp_path,
        check=False,
    )  # fmt: skip
    assert result.returncode == 3
    assert result.stderr.splitlines()[-1] == (
        f"Run '{first.name}' is not finished and is left out, and so is the summary of the host: "
        "train again to finish it, or delete it with: autrainer-ext rm-failed results clean"
    )
    assert pd.read_csv(results / "names/names.csv")["run"].tolist() == [f"{second.name}!"]
