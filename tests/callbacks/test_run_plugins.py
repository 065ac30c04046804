import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from omegaconf import OmegaConf

from autrainer_ext.callbacks import RunPlugins
from autrainer_ext.runs import find_runs

TRIANGLE = "autrainer_ext_plugins.entropy_triangle.EntropyTriangle"


@pytest.mark.slow
def test_every_run_leaves_its_tables_behind(tiny):
    for run in find_runs(tiny / "results", "clean"):
        table = pd.read_csv(tiny / "results/clean/names" / run.name / "names.csv")
        assert table["run"].tolist() == [f"{run.name}!"]


@pytest.mark.slow
def test_a_plugin_that_fails_is_a_warning(tiny):
    for run in find_runs(tiny / "results", "clean"):
        assert run.is_complete
        assert (
            f"RunNames of '{run.name}': this run is not to its liking."
            in (run.path / "training.log").read_text()
        )


@pytest.mark.slow
def test_difficulty_is_scored_and_drawn_before_the_host_ends_the_run(tiny, tmp_path):
    source = find_runs(tiny / "results", "clean")[0].path
    run = tmp_path / "results/clean/training" / source.name
    shutil.copytree(source, run)
    (run / "metrics.csv").unlink()  # the host writes it after the callbacks
    trainer = SimpleNamespace(model=None, data=None, output_directory=run)
    settings = {"gallery": False, "n_resamples": 3}
    with mpl.rc_context({"figure.facecolor": "red", "savefig.facecolor": "red"}):  # of the host
        RunPlugins([{"Difficulty": settings}]).cb_on_train_end(trainer)
        assert mpl.rcParams["figure.facecolor"] == "red"
    folder = tmp_path / "results/clean/difficulty" / run.name
    assert len(pd.read_csv(folder / "scores.csv").query("split == 'train'")) == 36
    assert plt.imread(folder / "cartography.png")[0, 0, :3].tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["EntropyTriangle", TRIANGLE])
def test_settings_are_those_of_the_configuration_and_the_overrides(name, tmp_path, monkeypatch):
    folder = tmp_path / "conf/plugin"
    folder.mkdir(parents=True)
    (folder / "EntropyTriangle.yaml").write_text(f"_target_: {TRIANGLE}\nevery: 2\nstart: 4\n")
    monkeypatch.chdir(tmp_path)
    plugins = OmegaConf.create([name, {name: {"every": 5}}, {name: None}])
    first, second, third = RunPlugins(plugins).plugins
    assert (first.every, first.start) == (2, 4)
    assert (second.every, second.start) == (5, 4)
    assert third.every == 2


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("nowhere.Plugin", "nowhere"),
        ("EntropyTriangl", "Unknown plugin 'EntropyTriangl'. Did you mean 'EntropyTriangle'?"),
        (
            "fractions.Fraction",
            "Class Fraction is not a plugin: it does not inherit from AbstractPlugin.",
        ),
        ({"EntropyTriangle": {"evrey": 5}}, "Unknown EntropyTriangle setting 'evrey'."),
        ({"EntropyTriangle": None, "Devices": None}, "mapping from one name to its settings"),
    ],
)
def test_mistakes_fail_before_training(plugin, message):
    with pytest.raises(ValueError) as error:
        RunPlugins([plugin])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_modules_of_the_working_directory_are_found(tmp_path, monkeypatch):
    (tmp_path / "my_own_plugin.py").write_text(
        "from autrainer_ext.plugin import AbstractPlugin\n"
        "class Mine(AbstractPlugin):\n"
        "    folder = 'mine'\n"
        "    def __init__(self, size=1): self.size = size\n"
        "    def run(self, runs, folder): (folder / 'x').touch()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    plugins = ["my_own_plugin.Mine", {"my_own_plugin.Mine": {"size": 3}}]
    default, larger = RunPlugins(plugins).plugins
    assert (default.size, larger.size) == (1, 3)
    assert Path(default.folder).name == "mine"
