"""Plugins are found by name and by class, with their settings under old and new names."""

import sys

import pytest

from autrainer_ext.plugin import AbstractPlugin, load_plugin, plugin_names

MODULE = """
from autrainer_ext.plugin import AbstractPlugin


class Count(AbstractPlugin):
    folder = "count"
    renamed = {"most": "max_samples"}

    def __init__(self, max_samples=1):
        self.max_samples = max_samples

    def run(self, runs, folder):
        pass
"""


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Write the settings of the plugin `Count` of the user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "counting", raising=False)
    monkeypatch.delitem(sys.modules, "counting.plugin", raising=False)
    (tmp_path / "counting").mkdir()
    (tmp_path / "counting/plugin.py").write_text(MODULE)
    (tmp_path / "counting/__init__.py").write_text("from .plugin import Count\n")
    (tmp_path / "conf/plugin").mkdir(parents=True)

    def write(settings, name="Count"):
        text = f"id: {name}\n_target_: counting.Count\n{settings}\n"
        (tmp_path / f"conf/plugin/{name}.yaml").write_text(text)

    return write


@pytest.mark.parametrize("configured", ["max_samples: 7", "most: 7"])
@pytest.mark.parametrize("override", ["max_samples", "most"])
def test_old_names_of_settings_are_accepted(configure, configured, override):
    configure(configured)
    assert load_plugin("Count").max_samples == 7
    assert load_plugin("Count", {override: 9}).max_samples == 9


def test_old_and_present_name_together_are_an_error(configure):
    message = "Settings 'most' and 'max_samples' of Count are the same"
    configure("max_samples: 7")
    with pytest.raises(ValueError, match=message):
        load_plugin("Count", {"most": 1, "max_samples": 2})
    configure("max_samples: 7\nmost: 7")
    with pytest.raises(ValueError, match=message):
        load_plugin("Count")


@pytest.mark.parametrize("path", ["counting.Count", "counting.plugin.Count"])
def test_class_paths_use_the_configuration_of_the_class(configure, path):
    configure("max_samples: 3", name="Another")
    assert load_plugin(path).max_samples == 3
    configure("max_samples: 7")
    assert load_plugin(path).max_samples == 7  # the one that is named like the class
    assert load_plugin(path, {"most": 8}).max_samples == 8
    with pytest.raises(ValueError, match=f"Unknown {path} setting 'min_samples'"):
        load_plugin(path, {"min_samples": 1})


def test_class_without_configuration_takes_the_settings_alone(configure):
    assert load_plugin("counting.Count").max_samples == 1
    assert load_plugin("counting.Count", {"most": 8}).max_samples == 8
    with pytest.raises(ValueError, match="Unknown counting.Count setting 'min_samples'"):
        load_plugin("counting.Count", {"min_samples": 1})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Cuont", "Unknown plugin 'Cuont'. Did you mean 'Count'?"),
        ("counting.Cuont", "counting.Cuont: Cannot import 'counting.Cuont'"),
        ("fractions.Fraction", "Class Fraction is not a plugin"),
        ("math.sqrt", "Class sqrt is not a plugin"),
    ],
)
def test_what_is_not_a_plugin_is_rejected_in_one_line(configure, name, message):
    configure("max_samples: 7")
    with pytest.raises(ValueError) as error:
        load_plugin(name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_names_are_listed_without_imports(configure):
    configure("max_samples: 7", name="Broken")
    assert {"Broken", "EntropyTriangle"} <= set(plugin_names())
    assert "counting" not in sys.modules
    assert "Broken" not in plugin_names(automatic=True)


def test_shipped_plugins_name_no_setting_twice():
    for name in plugin_names():
        plugin = load_plugin(name)
        assert isinstance(plugin, AbstractPlugin)
        assert not set(plugin.renamed) & set(plugin.renamed.values())


def test_settings_that_a_configuration_leaves_out_have_their_shipped_values(configure, tmp_path):
    target = "_target_: autrainer_ext_plugins.entropy_triangle.EntropyTriangle"
    (tmp_path / "conf/plugin/EntropyTriangle.yaml").write_text(f"{target}\nevery: 7\n")
    plugin = load_plugin("EntropyTriangle")
    assert (plugin.every, plugin.start, plugin.splits) == (7, 0, ["train", "dev", "test"])


def test_a_class_that_inherits_from_a_shipped_plugin_has_its_settings(configure, tmp_path):
    (tmp_path / "thin.py").write_text(
        "from autrainer_ext_plugins.entropy_triangle import EntropyTriangle\n"
        "class Thin(EntropyTriangle):\n    folder = 'thin'\n"
    )
    plugin = load_plugin("thin.Thin", {"every": 5})
    assert (plugin.every, plugin.start, plugin.folder) == (5, 0, "thin")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- every\n", "Triangle.yaml' must be a mapping of settings."),
        ("every: [1\n", "Triangle.yaml' is not valid YAML"),
        ("_target_: counting.Count\nmax_sample: 3\n", "Did you mean 'max_samples'?"),
    ],
)
def test_broken_configurations_are_named_in_one_line(configure, tmp_path, text, message):
    (tmp_path / "conf/plugin/Triangle.yaml").write_text(text)
    with pytest.raises(ValueError) as error:
        load_plugin("Triangle")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_text_where_a_list_is_needed_is_rejected():
    with pytest.raises(ValueError, match="Setting 'explainers' must be a list, got 'grad_cam'"):
        load_plugin("Fidelity", {"explainers": "grad_cam"})


def test_a_file_that_replaces_a_shipped_plugin_inherits_that_it_runs_by_itself(configure, tmp_path):
    target = "_target_: autrainer_ext_plugins.entropy_triangle.EntropyTriangle\n"
    file = tmp_path / "conf/plugin/EntropyTriangle.yaml"
    file.write_text(target)
    assert "EntropyTriangle" in plugin_names(automatic=True)
    file.write_text(f"{target}automatic: false\n")
    assert "EntropyTriangle" not in plugin_names(automatic=True)
    file.write_text("_target_: counting.Count\n")  # replaces the name only
    assert "EntropyTriangle" not in plugin_names(automatic=True)


def test_shared_settings_are_given_to_plugins_that_have_them():
    assert load_plugin("Fidelity", shared={"device": "cpu"}).settings.device == "cpu"
    assert not hasattr(load_plugin("Devices", shared={"device": "cpu"}), "device")
    with pytest.raises(ValueError, match="Unknown device 'gpu'"):
        load_plugin("Fidelity", {"device": "gpu"}, {"device": "cpu"})  # overrides are closer
