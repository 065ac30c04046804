import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from hydra_plugins.autrainer_ext import configuration_directory

SHIPPED = "model=CPMobile-5k"
NEEDED = ["dataset=ToyTabular-C", "optimizer=Adam", "+seed=1", "+batch_size=2", "+learning_rate=1"]
CURRICULUM = pytest.param("aucurriculum", marks=pytest.mark.old_host)
NO_CURRICULUM = [f"curriculum{group}=None" for group in ("", "/sampling", "/scoring", "/pacing")]


def compose(command, cwd, model, program="autrainer", shown="job"):
    needed = NEEDED + NO_CURRICULUM if program == "aucurriculum" else NEEDED
    return command(program, "train", *needed, model, "--cfg", shown, cwd=cwd).stdout


@pytest.mark.parametrize(
    "program",
    ["autrainer", CURRICULUM, "autrainer-ext"],
)
@pytest.mark.parametrize("has_conf", [False, True])
def test_shipped_model_is_found_from_any_folder(command, tmp_path, program, has_conf):
    if has_conf:
        (tmp_path / "conf/model").mkdir(parents=True)
    assert "base_channels: 8" in compose(command, tmp_path, SHIPPED, program)


def test_own_configuration_wins_over_the_shipped_one(command, tmp_path):
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/CPMobile-5k.yaml").write_text("id: Mine\n_target_: my.Model\n")
    composed = compose(command, tmp_path, SHIPPED)
    assert "id: Mine" in composed
    assert "base_channels" not in composed


@pytest.mark.parametrize(
    ("program", "has"),
    [
        ("autrainer", False),
        ("autrainer-ext", False),
        pytest.param("aucurriculum", True, marks=pytest.mark.old_host),
    ],
)
def test_default_experiment_elsewhere_is_that_of_the_host(command, tmp_path, program, has):
    composed = compose(command, tmp_path, SHIPPED, program, shown="hydra")
    assert "      dataset: ToyTabular-C" in composed
    assert ("      curriculum/sampling: None" in composed) is has


def test_checkout_experiment_is_not_served(python):
    code = """
from hydra_plugins.autrainer_ext import ShippedConfigSource
import os
os.makedirs("conf/model")
for name in ("config", "curriculum", "ext_mine", "model/Mine"):
    open(f"conf/{name}.yaml", "w").write("id: x")
path = "autrainer-ext://" + os.path.abspath("conf")
source = ShippedConfigSource(provider="autrainer-ext", path=path)
names = ("config", "config.yaml", "curriculum", "ext_mine", "model/Mine")
print([source.is_config(name) for name in names])
"""
    assert python(code) == "[False, False, False, True, True]"


def test_foreign_application_keeps_its_search_path(tmp_path):
    (tmp_path / "app.py").write_text(
        "import hydra\n"
        "@hydra.main(version_base=None, config_path=None)\n"
        "def main(cfg): pass\n"
        "main()\n"
    )
    script = [sys.executable, "app.py", "--info", "searchpath"]
    output = subprocess.check_output(script, cwd=tmp_path, text=True)
    assert "pkg://hydra.conf" in output
    assert "autrainer" not in output


def test_plugin_imports_hydra_and_the_standard_library_only(python):
    code = """
import sys
import hydra._internal.core_plugins.file_config_source, hydra.plugins.search_path_plugin
before = set(sys.modules)
import hydra_plugins.autrainer_ext
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {"hydra", "hydra_plugins"}))
"""
    assert python(code) == "[]"


@pytest.mark.parametrize("host", ["autrainer", CURRICULUM])
def test_no_shipped_name_shadows_a_host(host):
    package = Path(importlib.util.find_spec(host).origin).parent
    theirs = package.with_name(f"{host}-configurations")
    ours = configuration_directory()
    names = {path.relative_to(ours) for path in ours.rglob("*.yaml")} - {Path("config.yaml")}
    assert names
    assert [str(name) for name in names if (theirs / name).exists()] == []
