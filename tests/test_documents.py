"""What the documents promise: links resolve, commands parse, names exist, examples run."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from autrainer.core.scripts import CommandLineError
from autrainer.core.scripts.cli import CLI as AutrainerCLI

from autrainer_ext.configurations import sources
from autrainer_ext_plugins.cli import CLI
from autrainer_ext_plugins.commands.hosts import host_command_line
from autrainer_ext_plugins.plugin import load_plugin

ROOT = Path(__file__).resolve().parents[1]
EXTEND = ROOT / "docs" / "extend"
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "model" / "README.md"]
)
WITH_COMMANDS = [path for path in DOCUMENTS if path.parent.name != "studies"]
PROGRAMS = ("autrainer", "aucurriculum", "autrainer-ext")


def document(path):
    return str(path.relative_to(ROOT))


def prose(path):
    """Text of a document without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def commands(path):
    """Arguments of every command line of the package or its hosts in the shell blocks."""
    for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE):
        words = re.sub(r"\\\n", " ", block)
        for line in re.split(r"\n|&&|;", words):
            arguments = shlex.split(line, comments=True)
            while arguments and re.fullmatch(r"\w+=.*", arguments[0]):
                arguments.pop(0)  # variables of the environment
            if arguments and Path(arguments[0]).name in PROGRAMS:
                yield [Path(arguments[0]).name, *arguments[1:]]


COMMANDS = [
    pytest.param(line, id=f"{document(path)}: {' '.join(line)[:60]}")
    for path in WITH_COMMANDS
    for line in commands(path)
]


def anchors(path):
    """Anchors of the headings of a document, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_links_resolve(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        assert file.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(file), f"{target} has no such heading"


def test_documents_named_in_code_and_configurations_exist():
    folders = ("autrainer_ext", "benchmarks", "conf", "plugins")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*")]
    for file in (file for file in files if file.suffix in (".py", ".yaml")):
        for name in re.findall(r"docs/[\w/]+\.md", file.read_text()):
            assert (ROOT / name).is_file(), f"{document(file)} names {name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_every_document_is_linked(path):
    if path.name in ("README.md", "CHANGELOG.md"):
        return
    linking = [other for other in DOCUMENTS if other != path]
    assert any(
        (other.parent / target).resolve() == path
        for other in linking
        for target in re.findall(r"\]\(([^)\s#]+)\)", prose(other))
        if not re.match(r"[a-z]+:", target)
    ), "no document links to this one"


@pytest.mark.parametrize("line", COMMANDS)
def test_command_lines_parse(line):
    program, *arguments = line
    command_line = CLI(host_command_line(["list"])) if program != "autrainer" else AutrainerCLI()
    try:
        parsed, unknown = command_line.parser.parse_known_args(arguments)
    except CommandLineError as error:
        pytest.fail(f"{' '.join(line)}: {error.message}")
    assert parsed.command, "a command is missing"
    script = command_line._get_command(parsed.command)
    if not script.unknown_args and parsed.command not in ("fetch", "preprocess"):
        assert not unknown
    if "-cn" in unknown:
        experiment = unknown[unknown.index("-cn") + 1]
        assert experiment in names(".") | {"train_tones"}, f"no experiment {experiment}"
    for plugin in getattr(parsed, "plugins", None) or []:
        assert plugin in names("plugin") | {"ClassRecall", "FrameFidelity"}
    for text in getattr(parsed, "override", None) or []:
        (plugin,) = parsed.plugins
        assert text.partition("=")[0] in settings(plugin), f"{plugin} has no such setting"


def settings(plugin):
    file = next(
        folder / f"{plugin}.yaml"
        for folder in (ROOT / "conf/plugin", EXTEND)
        if (folder / f"{plugin}.yaml").is_file()
    )
    return set(yaml.safe_load(file.read_text()))


def names(group):
    return {name for source in sources() for name in source.names(group)}


GROUPS = (
    *["model", "dataset", "preprocessing", "augmentation", "criterion", "plugin", "scheduler"],
    *["curriculum/scoring", "experiment"],
)


def tables_of_names(path):
    """Group and name of every configuration in a table whose first cell names the group."""
    for group, cell in re.findall(r"^\| `([a-z/]+)`[^|]*\| (.*) \|$", path.read_text(), re.M):
        if group in GROUPS:
            yield from ((group, name) for name in re.findall(r"`([^`]+)`", cell))


@pytest.mark.parametrize("path", DOCUMENTS, ids=document)
def test_configurations_in_tables_exist(path):
    for group, name in tables_of_names(path):
        known = names("." if group == "experiment" else group)
        assert any(re.fullmatch(name.replace("*", ".*"), each) for each in known), (group, name)


def test_every_configuration_is_in_the_overview():
    listed = set(tables_of_names(ROOT / "docs/guide/configurations.md"))
    for group in GROUPS:
        folder = ROOT / "conf" / ("" if group == "experiment" else group)
        for file in folder.glob("*.yaml"):
            assert (group, file.stem) in listed or file.stem == "config", (group, file.stem)


def test_glossary_is_sorted():
    lines = (ROOT / "docs/glossary.md").read_text().splitlines()
    cells = [line.split("|")[1].replace("`", "").strip().lower() for line in lines if "|" in line]
    terms = cells[2:]  # after the header and the line below it
    assert terms == sorted(set(terms))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Folder of a user who copied the files of docs/extend."""
    for file in EXTEND.glob("*.py"):
        shutil.copy(file, tmp_path)
    for name, group in (
        ("PolyLoss", "criterion"),
        ("ClassRecall", "plugin"),
        ("FrameFidelity", "plugin"),
        ("Tones", "dataset"),
        ("train_tones", "."),
    ):
        (tmp_path / "conf" / group).mkdir(parents=True, exist_ok=True)
        shutil.copy(EXTEND / f"{name}.yaml", tmp_path / "conf" / group)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def forget_modules():
    yield
    for file in EXTEND.glob("*.py"):
        sys.modules.pop(file.stem, None)


def test_example_loss_is_cross_entropy_plus_a_term(project):
    import autrainer

    config = yaml.safe_load(Path("conf/criterion/PolyLoss.yaml").read_text())
    loss = autrainer.instantiate_shorthand(config, instance_of=torch.nn.modules.loss._Loss)
    loss.set_counts([3, 5, 2])
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    wrong = 1 - logits.softmax(dim=1).gather(1, target[:, None])[:, 0]
    expected = torch.nn.functional.cross_entropy(logits, target, reduction="none") + wrong
    torch.testing.assert_close(loss(logits, target), expected.mean())
    loss.reduction = "none"
    torch.testing.assert_close(loss(logits, target), expected)
    one_hot = torch.nn.functional.one_hot(target, 3).float()
    torch.testing.assert_close(loss(logits, one_hot), expected)
    loss(logits, target).sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_example_explainer_is_equal_within_a_frame(project):
    import frame_saliency

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(20, 3))
    features = torch.randn(2, 1, 5, 4, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 2])
    found = frame_saliency.frame_saliency(model, features, target)
    weights = model[1].weight.detach()[target].abs().reshape(2, 1, 5, 4)
    torch.testing.assert_close(found, weights.mean(dim=3, keepdim=True).expand_as(found))
    plugin = load_plugin("FrameFidelity")
    assert plugin.settings.explainers == ("saliency", "frame_saliency")
    assert plugin.folder == "frame_fidelity"


def test_example_plugin_is_short():
    assert len((EXTEND / "class_recall.py").read_text().splitlines()) < 40


@pytest.mark.slow
def test_example_plugins_run_on_runs(project, tiny, command):
    shutil.copytree(tiny / "results", "results")
    arguments = ["postprocess", "results", "clean", "--no-summary", "-p", "ClassRecall"]
    command("autrainer-ext", *arguments, cwd=project)
    folder = Path("results/clean/class_recall")
    table = pd.read_csv(folder / "recall.csv")
    assert table.columns.tolist() == ["run", "class", "recall"]
    assert len(table) == 2 * 3
    assert table["recall"].between(0, 1).all()
    assert (folder / "recall.png").stat().st_size > 0


@pytest.mark.slow
def test_example_data_set_and_explainer_run(project, command):
    for verb in ("fetch", "preprocess", "train"):
        command("autrainer-ext", verb, "-cn", "train_tones", cwd=project)
    assert len(list(Path("data/Tones/log_mel_16k").glob("*.npy"))) == 24 + 9 + 9
    (run,) = Path("results/tones/training").glob("Tones_*")
    assert np.load(run / "_test/test_outputs.npy").shape == (9, 3)
    arguments = ["postprocess", "results", "tones", "--no-summary", "-p", "FrameFidelity"]
    arguments += ["--trust", "tones"]
    command("autrainer-ext", *arguments, "-o", "max_samples=2", cwd=project)
    scores = pd.read_csv("results/tones/frame_fidelity/scores.csv")
    assert set(scores["explainer"]) == {"saliency", "frame_saliency"}
