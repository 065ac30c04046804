import pandas as pd
import pytest

from autrainer_ext.callbacks import RunPlugins
from autrainer_ext.runs import find_runs

pytestmark = pytest.mark.slow


def test_every_run_leaves_its_tables_behind(tiny):
    for run in find_runs(tiny / "results", "clean"):
        table = pd.read_csv(tiny / "results/clean/names" / run.name / "names.csv")
        assert table["run"].tolist() == [f"{run.name}!"]


def test_a_plugin_that_fails_is_a_warning(tiny):
    for run in find_runs(tiny / "results", "clean"):
        assert run.is_complete
        assert (
            f"RunNames of '{run.name}': this run is not to its liking."
            in (run.path / "training.log").read_text()
        )


def test_a_plugin_that_does_not_exist_fails_before_training():
    with pytest.raises(Exception, match="nowhere"):
        RunPlugins(["nowhere.Plugin"])


def test_settings_that_are_not_given_are_those_of_the_configuration():
    path = "autrainer_ext_plugins.entropy_triangle.EntropyTriangle"
    default, other = RunPlugins([path, {path: {"every": 5}}]).plugins
    assert (default.every, other.every) == (1, 5)
    assert default.settings == other.settings
