"""Sweeps by the launchers of the extra `cluster`: the runs of Hydra's own launcher."""

import shutil
from importlib.util import find_spec

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("submitit") is None or find_spec("hydra_plugins.hydra_joblib_launcher") is None,
        reason="needs autrainer-ext[cluster]",
    ),
]


@pytest.fixture
def sweep(tiny, tmp_path, command):
    """Train the runs of the experiment `clean` again with a launcher and compare them."""
    for name in ("conf", "data", "run_names.py"):
        (tmp_path / name).symlink_to(tiny / name)

    def sweep(launcher, *overrides):
        trained = command(
            "autrainer-ext", "train", "-cn", "clean", f"hydra/launcher={launcher}",
            "callbacks=[]", *overrides,
            cwd=tmp_path,
        )  # fmt: skip
        assert "deprecated" not in trained.stderr
        ours, theirs = tmp_path / "results/clean/training", tiny / "results/clean/training"
        runs = sorted(path.name for path in theirs.glob("Tiny_*"))
        assert sorted(path.name for path in ours.iterdir()) == [*runs, "multirun.yaml"]
        for run in runs:
            name = f"{run}/metrics.csv"
            assert (ours / name).read_bytes() == (theirs / name).read_bytes()

    yield sweep
    shutil.rmtree(tmp_path / "results", ignore_errors=True)


def test_joblib_trains_the_same_runs(sweep):
    sweep("joblib", "hydra.launcher.n_jobs=2")


def test_submitit_trains_the_same_runs(sweep, tmp_path):
    sweep("submitit_local")
    assert list((tmp_path / "results/clean/.submitit").iterdir())


@pytest.mark.slurm
def test_slurm_trains_the_same_runs(sweep, slurm):
    sweep("submitit_slurm", "hydra.launcher.mem_gb=null")
