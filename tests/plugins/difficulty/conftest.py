import shutil

import numpy as np
import pytest
import soundfile

from autrainer_ext.difficulty import measure_run, pool_runs
from autrainer_ext.runs import find_runs
from autrainer_ext_plugins.plugin import load_plugin


@pytest.fixture(scope="session")
def project(tiny, tmp_path_factory):
    """The tiny runs beside a data folder that holds audio, and what the plugin made of them."""
    folder = tmp_path_factory.mktemp("difficulty")
    shutil.copytree(tiny / "results/clean", folder / "results/clean")
    shutil.copytree(tiny / "data", folder / "data")
    for index in range(36):
        soundfile.write(folder / f"data/default/train-{index}.wav", np.full(80, index / 100), 8000)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runs = find_runs("results", "clean")
        output = folder / "results/clean/difficulty"
        output.mkdir()
        load_plugin("Difficulty", {"stop": "last", "examples": 2}).run(runs, output)
    return folder, runs


@pytest.fixture(scope="session")
def output(project):
    return project[0] / "results/clean/difficulty"


@pytest.fixture(scope="session")
def pooled(project):
    """Measures of the training split, straight from the files."""
    measured = []
    for run in project[1]:
        path = project[0] / "results/clean/training" / run.name
        saved = [np.load(path / f"epoch_{e}/traineval_outputs.npy") for e in (1, 2, 3)]
        targets = np.load(path / "epoch_1/traineval_targets.npy")
        measured.append(measure_run(list(enumerate(saved)), targets, best=0))
    return pool_runs(measured)
