"""Shared fixtures: where things are, and the environment of commands run by the tests."""

import os
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]


def _let_hypothesis_look_around() -> None:
    """Give a file to modules that would be imported by the question for it.

    Hypothesis asks every loaded module. Those that speechbrain, loaded by the host, puts off
    answer with an ImportError, which ends the whole session.
    """
    for module in list(sys.modules.values()):
        if type(module).__module__ == "speechbrain.utils.importutils":
            vars(module).setdefault("__file__", None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After the test files were imported: the longest file first, beside all others."""
    _let_hypothesis_look_around()
    items.sort(key=lambda item: item.path.name != "test_end_to_end.py")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """After what earlier tests imported."""
    _let_hypothesis_look_around()
    if item.get_closest_marker("old_host") and find_spec("aucurriculum") is None:
        pytest.skip("needs autrainer 0.4 with aucurriculum")


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference data beside the checkout; tests that need it are skipped without."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the reference data in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def command():
    """Run a console script of the environment: command(name, *arguments, cwd=..., check=True)."""

    def run(name: str, *arguments: object, cwd: Path, check: bool = True, **environment: str):
        script = Path(sys.executable).with_name(name)
        result = subprocess.run(
            [str(script), *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=900,
        )
        if check and result.returncode != 0:
            pytest.fail(f"{name} {arguments} exited with {result.returncode}:\n{result.stderr}")
        return result

    return run


@pytest.fixture
def file_size_limit():
    """Limit the size of the files that this process writes: with file_size_limit(bytes)."""
    resource = pytest.importorskip("resource", reason="needs limits of POSIX")

    @contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


EXPERIMENT = """
defaults:
  - _autrainer_
  - override dataset: Tiny
  - override model: CPMobile-5k
  - override optimizer: Adam
  - _self_

results_dir: results
experiment_id: {experiment}
iterations: 3
device: cpu
callbacks: {callbacks}

hydra:
  sweeper:
    params:
      +seed: {seeds}
      +batch_size: 8
      +learning_rate: 0.01
"""
DATASET = """
id: Tiny
_target_: autrainer_ext.datasets.CachedClassificationDataset
path: data
features_subdir: default
index_column: filename
target_column: scene
file_type: npy
file_handler: autrainer.datasets.utils.NumpyFileHandler
stratify: [device]
criterion: torch.nn.CrossEntropyLoss
metrics: [autrainer.metrics.Accuracy, autrainer.metrics.UAR]
tracking_metric: autrainer.metrics.UAR
transform:
  type: grayscale
"""


PLUGIN = """
import pandas as pd
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import write_table


class RunNames(AbstractPlugin):
    folder = "names"

    def __init__(self, suffix):
        if not isinstance(suffix, str):
            raise ValueError(f"Argument 'suffix' must be text, got {suffix}.")
        self.suffix = suffix

    def run(self, runs, folder):
        if self.suffix == "fail":
            raise ValueError("this run is not to its liking.")
        names = [run.name + self.suffix for run in runs]
        write_table(pd.DataFrame({"run": names}), folder / "names.csv")
"""
CALLBACKS = """
- autrainer_ext.callbacks.CleanOutputs
- autrainer_ext.callbacks.RunPlugins:
    plugins:
    - run_names.RunNames: {suffix: fail}
    - run_names.RunNames: {suffix: '!'}
"""


@pytest.fixture(scope="session")
def tiny(command, tmp_path_factory):
    """Folder with runs on noise that carries its class. To be read, not to be changed.

    Experiment `clean` has two seeds and our callbacks, `plain` the first seed without. The module
    `run_names` is a plugin of the user.
    """
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "data/default").mkdir(parents=True)
    (folder / "conf/dataset").mkdir(parents=True)
    (folder / "conf/dataset/Tiny.yaml").write_text(DATASET)
    (folder / "run_names.py").write_text(PLUGIN)
    rng = np.random.default_rng(0)
    for split, size in (("train", 36), ("dev", 12), ("test", 18)):
        scenes = np.array(["bus", "park", "tram"])[np.arange(size) % 3]
        table = pd.DataFrame({"filename": [f"{split}-{i}.wav" for i in range(size)]})
        table["scene"], table["device"] = scenes, np.array(["a", "b"])[np.arange(size) // 3 % 2]
        table.to_csv(folder / f"data/{split}.csv", index=False)
        for i, scene in enumerate(scenes):
            features = rng.normal(size=(1, 24, 16)).astype(np.float32)
            features[:, :, 5 * "bpt".index(scene[0]) :][:, :, :5] += 0.7
            np.save(folder / f"data/default/{split}-{i}.npy", features)
    for experiment, callbacks, seeds in (
        ("clean", CALLBACKS, "1,2"),
        ("plain", "[]", "1"),
    ):
        text = EXPERIMENT.format(experiment=experiment, callbacks=callbacks, seeds=seeds)
        (folder / f"conf/{experiment}.yaml").write_text(text)
        command("autrainer", "train", "-cn", experiment, cwd=folder)
    return folder
