"""The rooms of the house: who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "autrainer_ext"
PLUGINS = ROOT / "plugins" / "autrainer_ext_plugins"

# A module may import from its own room and from rooms of a lower level.
LEVELS = {
    "autrainer_ext.errors": 0,
    "autrainer_ext.style": 0,
    "autrainer_ext.models.fusion": 0,
    "autrainer_ext.serving.forward": 1,
    "autrainer_ext.serving.shards": 2,
    "autrainer_ext.information": 1,
    "autrainer_ext.intervals": 0,
    "autrainer_ext.difficulty": 1,
    "autrainer_ext.criterions.class_weights": 1,
    "autrainer_ext.explanation.masks": 1,
    "autrainer_ext.explanation.segments": 1,
    "autrainer_ext.explanation.sizes": 1,
    "autrainer_ext.explanation.size_curves": 2,
    "autrainer_ext.compat": 0,
    "autrainer_ext.atomic": 1,
    "autrainer_ext.trust": 1,
    "autrainer_ext.callbacks.modality_table": 1,
    "autrainer_ext.configurations": 2,
    "autrainer_ext.models": 2,
    "autrainer_ext.criterions": 2,
    "autrainer_ext.transforms": 2,
    "autrainer_ext.augmentations": 2,
    "autrainer_ext.metrics": 2,
    "autrainer_ext.corruptions": 2,
    "autrainer_ext.adaptation.losses": 2,
    "autrainer_ext.explanation.attributors": 2,
    "autrainer_ext.explanation.fidelity": 2,
    "autrainer_ext.plugin": 4,
    "autrainer_ext.adaptation": 3,
    "autrainer_ext.latent": 3,
    "autrainer_ext.runs": 3,
    "autrainer_ext.serving": 3,
    "autrainer_ext.plotting": 3,
    "autrainer_ext.datasets": 3,
    "autrainer_ext.explanation": 4,
    "autrainer_ext.evaluation": 4,
    "autrainer_ext.callbacks": 5,
    "autrainer_ext.difficulty.from_runs": 4,
    "autrainer_ext.difficulty.provenance": 4,
    "autrainer_ext.difficulty.label_evidence": 4,
    "autrainer_ext.difficulty.tables": 4,
    "autrainer_ext.curriculum": 5,
    "autrainer_ext.report": 5,
    "autrainer_ext.report.links": 2,
    "autrainer_ext.front_door": 5,
    "autrainer_ext.export": 5,
    "autrainer_ext_plugins.plugin": 6,
    "autrainer_ext_plugins.writing": 6,
    "autrainer_ext_plugins.conditions": 6,
    "autrainer_ext_plugins.run_columns": 6,
    "autrainer_ext_plugins.entropy_triangle": 7,
    "autrainer_ext_plugins.difficulty": 7,
    "autrainer_ext_plugins.fidelity": 7,
    "autrainer_ext_plugins.label_noise": 7,
    "autrainer_ext_plugins.logit_adjustment": 7,
    "autrainer_ext_plugins.adaptation": 7,
    "autrainer_ext_plugins.devices": 7,
    "autrainer_ext_plugins.latent_space": 7,
    "autrainer_ext_plugins.commands": 8,
    "autrainer_ext_plugins.cli": 9,
    "autrainer_ext.__main__": 10,
}
FREE_OF_THE_HOST = {
    "autrainer_ext.errors",
    "autrainer_ext.information",
    "autrainer_ext.intervals",
    "autrainer_ext.difficulty",
    "autrainer_ext.criterions.class_weights",
    "autrainer_ext.explanation.masks",
    "autrainer_ext.explanation.fidelity",
    "autrainer_ext.explanation.segments",
    "autrainer_ext.report.links",
    "autrainer_ext.explanation.sizes",
}


def dotted(path):
    parts = path.relative_to(PLUGINS.parent if PLUGINS in path.parents else ROOT)
    parts = parts.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(
    path
    for package in (PACKAGE, PLUGINS)
    for path in package.rglob("*.py")
    if path != package / "__init__.py"
)
NAMES = {dotted(path): path for path in MODULES}


def room(module):
    """Longest entry of LEVELS that the module lies in."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in LEVELS:
            return ".".join(parts[:length])
    pytest.fail(f"{module} is in no room of tests/test_architecture.py")


def imports(path, *, at_import_time=False):
    """Absolute names of all modules a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if at_import_time else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = dotted(path).split(".")
                keep = len(package) - node.level + (path.name == "__init__.py")
                base = ".".join([*package[:keep], *([node.module] if node.module else [])])
            for alias in node.names:  # a module of a package counts as itself
                whole = f"{base}.{alias.name}"
                yield whole if whole in NAMES else base


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_downward(path):
    here = room(dotted(path))
    for name in imports(path):
        if name.startswith(("autrainer_ext.", "autrainer_ext_plugins.")):
            there = room(name)
            beside = (LEVELS[there], there.split(".")[:2]) == (LEVELS[here], here.split(".")[:2])
            assert beside or LEVELS[there] < LEVELS[here], f"{here} imports {name}"


def test_no_file_imports_itself_through_others():
    arrows = {
        name: {target for target in imports(path) if target in NAMES and target != name}
        for name, path in NAMES.items()
        if path.name != "__init__.py"
    }
    while arrows:  # remove files that import nothing that is left
        free = {name for name, targets in arrows.items() if not targets & arrows.keys()}
        assert free, f"these files import each other in a circle: {sorted(arrows)}"
        arrows = {name: targets for name, targets in arrows.items() if name not in free}


def test_search_path_plugin_is_imported_by_configurations_and_commands_only():
    allowed = ("autrainer_ext.configurations", "autrainer_ext_plugins.commands.")
    for name, path in NAMES.items():
        if any(target.startswith("hydra_plugins") for target in imports(path)):
            assert name.startswith(allowed), name


def test_the_drawer_holds_only_the_face():
    assert {path.stem for path in PLUGINS.glob("*.py")} == {
        "__init__", "cli", "conditions", "plugin", "run_columns", "writing",
    }  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_pure_rooms_are_free_of_the_host(path):
    if room(dotted(path)) in FREE_OF_THE_HOST:
        top = {name.split(".")[0] for name in imports(path)}
        assert not top & {"autrainer", "aucurriculum", "hydra", "pandas", "matplotlib"}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_aucurriculum_is_imported_late_and_rarely(path):
    """Its import renames the runs of the whole process."""
    if dotted(path) != "autrainer_ext.curriculum":
        early = imports(path, at_import_time=True)
        assert not [name for name in early if name.startswith("aucurriculum")]
        if dotted(path) != "autrainer_ext_plugins.commands.hosts":
            assert not [name for name in imports(path) if name.startswith("aucurriculum")]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_optional_libraries_are_imported_late(path):
    top = {name.split(".")[0] for name in imports(path, at_import_time=True)}
    assert not top & {"lime", "shap", "soundata", "umap"}


# Files that run a network or switch gradients off themselves, and why.
NOT_BY_THE_ENGINE = {
    "autrainer_ext.serving.forward": "the engine",
    "autrainer_ext.serving.inference": "module of the engine with embeddings as a second output",
    "autrainer_ext.latent.embeddings": "module of the engine with layers as outputs",
    "autrainer_ext.explanation.attributors.adapters": "gradients for one class",
    "autrainer_ext.explanation.attributors.cam": "hooks in the network that is differentiated",
    "autrainer_ext.explanation.attributors.contract": "gradients are switched on",
    "autrainer_ext.explanation.attributors.gradients": "gradients",
    "autrainer_ext.explanation.sanity": "weights are randomised",
    "autrainer_ext.adaptation.decision": "networks of a few seconds' use, one pass each",
    "autrainer_ext.adaptation.lame": "logits and embeddings of a network that is being adapted",
    "autrainer_ext.adaptation.methods": "gradients of the source for the penalty of EATA",
    "autrainer_ext.adaptation.ntta": "source network beside the one that is being adapted",
    "autrainer_ext.adaptation.parameters": "weights are restored",
    "autrainer_ext.adaptation.procedure": "steps, and predictions with statistics of the batch",
    "autrainer_ext.adaptation.sar": "weights are moved",
    "autrainer_ext.adaptation.t3a": "embeddings of a network that is being adapted",
    "autrainer_ext.models.shifted_logits": "part of a network, which the engine evaluates",
    "autrainer_ext.adaptation.streaming": "one sample at a time by a network that is being adapted",
}
_NETWORKS = ("model", "network", "net", "_model", "_network", "_source")


def _runs_networks(node):
    """Whether code runs a network, such as `loaded.model(...)`, or switches gradients off."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("no_grad", "inference_mode")
    if not isinstance(node, ast.Call):
        return False
    names = ast.unparse(node.func).split(".")
    is_method = names[-1] in ("forward", "embeddings") and len(names) > 1
    return (names[-2] if is_method else names[-1]) in _NETWORKS


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_networks_are_evaluated_by_the_engine(path):
    runs = [ast.unparse(n) for n in ast.walk(ast.parse(path.read_text())) if _runs_networks(n)]
    is_stated = dotted(path) in NOT_BY_THE_ENGINE
    assert bool(runs) == is_stated, f"use a ForwardPass, or state the reason: {runs}"
