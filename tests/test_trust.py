import os
import shutil
import sys

import pytest
import torch

from autrainer_ext import trust as module
from autrainer_ext.trust import (
    check_configuration,
    check_description,
    check_model_directory,
    load_description,
    trust,
)

COMPOSE = "$autrainer.transforms.smart_compose.SmartCompose"
SEQUENCE = "$autrainer.augmentations.sequential_augmentation.Sequential"
REFUSED = {
    "a tag that calls": ("!!python/object/apply:os.system [RUN]", "not plain YAML"),
    "a class": ("$subprocess.Popen: {args: RUN, shell: true}", "--trust subprocess"),
    "a class without mark": ("subprocess.Popen: {args: RUN}", "--trust subprocess"),
    "within": (COMPOSE + ": {transforms: [{$os.system: {command: RUN}}]}", "--trust os"),
    "among labels": (COMPOSE + ": {labels: [{$os.popen: {cmd: RUN}}]}", "--trust os"),
    "a short form": (SEQUENCE + ": {sequence: [{os.system: {command: RUN}}]}", "--trust os"),
    "a text": (SEQUENCE + ": {sequence: [os.abort], note: RUN}", "'sequence.0': 'os.abort'"),
    "a target": (SEQUENCE + ": {a: {_target_: unknown, b: RUN}}", "'unknown' is not"),
    "a function of torch": ("$torch.hub.load: {repo_or_dir: RUN, model: x}", "is not a class"),
    "a module within torch": ("$torch.os.system: {command: RUN}", "is not a class"),
    "code of the host": ("$autrainer.serving.Inference: {model_path: RUN}", "is not a class"),
    "another package": ("$yours.Network: {note: RUN}", "If you trust it, add --trust yours"),
    "no arguments": ("$torch.nn.ReLU # RUN", "does not describe one object"),
    "two objects": ("{$torch.nn.ReLU: {}, $torch.nn.GELU: RUN}", "does not describe one"),
    "itself": ("&a [*a, RUN]", "does not describe one object"),
    "other bytes": ("\udcffRUN", "not plain YAML"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_run_a_command_is_refused_and_not_run(tmp_path, case):
    text, message = REFUSED[case]
    path = tmp_path / "model.yaml"
    content = text.replace("RUN", f"'touch {tmp_path / 'ran'}'")
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ValueError, match=f"'{path}'") as raised:
        load_description(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert os.listdir(tmp_path) == ["model.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "$torch.nn.modules.activation.ReLU==2.8: {}",
        "$torch:torch.nn.ReLU: {inplace: true}",
        f"{COMPOSE}: {{transforms: [{{$autrainer.transforms.StereoToMono: {{order: -90}}}}]}}",
        "$autrainer.datasets.utils.LabelEncoder: {labels: [os.system, sys.exit]}",
        "$torch.nn.Linear: {in_features: 1, out_features: 2, device: null, note: dog.bark}",
    ],
)
def test_known_kinds_of_objects_are_accepted(tmp_path, text):
    (tmp_path / "model.yaml").write_text(text)
    check_model_directory(tmp_path)


def test_shipped_model_is_accepted(root):
    check_model_directory(root / "model")


def test_a_trusted_package_is_loaded(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("import torch\nclass Net(torch.nn.Identity): pass\n")
    (tmp_path / "model.yaml").write_text("$mine.Net: {}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "_TRUSTED", set())
    with pytest.raises(ValueError, match="key|first line.*add --trust mine"):
        load_description(tmp_path / "model.yaml")
    assert "mine" not in sys.modules
    trust("mine")
    assert isinstance(load_description(tmp_path / "model.yaml"), torch.nn.Identity)
    monkeypatch.setattr(module, "_TRUSTED", set())
    monkeypatch.setenv("AUTRAINER_EXT_TRUST", "other,mine")
    check_description(tmp_path / "model.yaml")


def test_configurations_of_runs_are_checked(tmp_path):
    known = {"dataset": {"_target_": "autrainer_ext.datasets.FSDD", "path": "data/FSDD"}}
    check_configuration(known, tmp_path / "config.yaml")
    with pytest.raises(ValueError, match=r"config\.yaml', key 'dataset\._target_': 'os\.system'"):
        check_configuration({"dataset": {"_target_": "os.system"}}, tmp_path / "config.yaml")


@pytest.mark.slow
def test_commands_refuse_and_accept_with_the_option(root, tmp_path, command):
    (tmp_path / "mine.py").write_text("import torch\nclass Net(torch.nn.Identity): pass\n")
    shutil.copytree(root / "model", tmp_path / "model")
    (tmp_path / "model/model.yaml").write_text("$mine.Net: {}")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.wav").write_text("")
    arguments = ["inference", "model", "in", "out", "-q"]
    refused = command("autrainer-ext", *arguments, cwd=tmp_path, check=False)
    assert refused.returncode == 1
    assert refused.stderr.strip().endswith(
        "could run any command. If you trust it, add --trust mine."
    )
    accepted = command("autrainer-ext", *arguments, "--trust", "mine", cwd=tmp_path, check=False)
    assert "could run any command" not in accepted.stderr
    assert "model.pt" in accepted.stderr or "cannot be loaded" in accepted.stderr
