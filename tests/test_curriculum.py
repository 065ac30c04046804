"""Curriculum scoring through the real commands: aucurriculum renames runs once it is imported."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from autrainer_ext.difficulty import measure_run, pool_runs
from autrainer_ext.runs import find_runs, read_outputs

pytestmark = [pytest.mark.slow, pytest.mark.old_host]

SCORE = """
defaults:
  - _aucurriculum_score_
  - _self_
results_dir: results
experiment_id: clean
device: cpu
progress_bar: false
hydra:
  sweeper:
    params:
      curriculum/scoring: CumulativeAccuracy,EnsembleCumulativeAccuracy
      curriculum.scoring.stop: best,last
      curriculum.scoring.run_name: '[{runs}]'
correlation:
  correlation_matrix: all
"""
TRAIN = """
defaults:
  - _aucurriculum_train_
  - override dataset: Tiny
  - override model: CPMobile-5k
  - override optimizer: Adam
  - override curriculum: Curriculum
  - override curriculum/sampling: Unbalanced
  - override curriculum/scoring: EnsembleCumulativeAccuracy
  - override curriculum/pacing: Linear
  - _self_
results_dir: results
experiment_id: paced
iterations: 3
device: cpu
progress_bar: false
curriculum:
  _experiment_id: clean
  scoring:
    stop: last
    run_name: '*'
hydra:
  sweeper:
    params:
      +seed: 1
      +batch_size: 8
      +learning_rate: 0.01
      curriculum.pacing.initial_size: 0.25
      curriculum.pacing.final_iteration: 0.8
"""


@pytest.fixture(scope="module")
def project(tiny, command, tmp_path_factory):
    """Runs of two seeds, scored by the host and by us, for both stops."""
    folder = tmp_path_factory.mktemp("curriculum")
    shutil.copytree(tiny / "results/clean", folder / "results/clean")
    shutil.copytree(tiny / "conf", folder / "conf")
    (folder / "data").symlink_to(tiny / "data")
    runs = [run.name for run in find_runs(folder / "results", "clean")]
    (folder / "conf/score.yaml").write_text(SCORE.format(runs=",".join(runs)))
    (folder / "conf/paced.yaml").write_text(TRAIN)
    command("aucurriculum", "curriculum", "-cn", "score", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def scores(project):
    return project / "results/clean/curriculum"


def ensemble_scores(scores, settings):
    """File of the scores of the ensemble; its name ends with a hash of the runs."""
    folder = scores / "EnsembleCumulativeAccuracy"
    (path,) = folder.glob(f"EnsembleCumulativeAccuracy-{settings}-????????.csv")
    return path


def names(project, stop):
    return [f"{run.name}_{stop[0]}" for run in find_runs(project / "results", "clean")]


@pytest.mark.parametrize("stop", ["best", "last"])
def test_sums_and_counts_of_a_run_equal_the_host_s(project, scores, stop):
    for name in names(project, stop):
        host = pd.read_csv(scores / "CumulativeAccuracy" / name / "scores.csv")
        ours = pd.read_csv(scores / "EnsembleCumulativeAccuracy" / name / "scores.csv")
        assert set(ours.columns) == set(host.columns)
        pd.testing.assert_frame_equal(ours[host.columns], host, check_dtype=False, check_exact=True)
        assert host["sum"].nunique() > 1


def test_scores_of_the_ensemble_equal_the_host_s(scores):
    host = pd.read_csv(scores / "CumulativeAccuracy/CumulativeAccuracy.csv")  # the last stop: last
    ours = pd.read_csv(ensemble_scores(scores, "train-last-micro-margin"))
    for column in ("filename", "device", "sum", "count", "mean", "encoded", "decoded"):
        assert ours[column].tolist() == host[column].tolist()
    assert (ours["count"] == 6).all()


def test_ties_are_broken_by_the_mean_margin(project, scores):
    runs = find_runs(project / "results", "clean")
    saved = [[read_outputs(run, "train", epoch) for epoch in (1, 2, 3)] for run in runs]
    pooled = pool_runs(
        [
            measure_run([(i, s.outputs) for i, s in enumerate(each)], each[0].targets, best=0)
            for each in saved
        ]
    )
    ours = pd.read_csv(ensemble_scores(scores, "train-last-micro-margin"))
    expected = np.lexsort([-pooled.margin, -pooled.cumulative_accuracy])
    assert np.argsort(ours["ranks"]).tolist() == expected.tolist()
    np.testing.assert_allclose(np.sort(ours["ranks"]), np.linspace(0, 1, len(ours)))
    assert ours["tie_size"].tolist() == ours.groupby("mean")["mean"].transform("size").tolist()


def test_a_curriculum_is_trained_from_the_scores(project, scores, command):
    command("aucurriculum", "train", "-cn", "paced", cwd=project)
    (run,) = find_runs(project / "results", "paced")
    assert "EnsembleCumulativeAccuracy-train-last-micro-margin" in run.name
    assert pd.read_csv(run.path / "pace.csv")["dataset_size"].tolist()[0] == 9
    path = ensemble_scores(scores, "train-last-micro-margin")
    table = pd.read_csv(path)
    traced = yaml.safe_load(path.with_suffix(".yaml").read_text())
    assert list(traced["runs"]) == [r.name for r in find_runs(project / "results", "clean")]
    assert path.stem in run.name
    seen = set(read_outputs(run, "train_online", 1).indices.tolist())
    assert seen == set(np.argsort(table["ranks"])[:9].tolist())


def test_a_training_takes_the_scores_of_the_runs_it_names_or_none(project, command):
    one = find_runs(project / "results", "clean")[0].name  # scores exist for both runs together
    arguments = ["-cn", "paced", f"curriculum.scoring.run_name={one}", "experiment_id=other"]
    result = command("aucurriculum", "train", *arguments, cwd=project, check=False)
    assert result.returncode != 0
    assert f"The 1 runs that '{one}' stands for have no scores" in result.stderr
    assert not list((project / "results/other").rglob("metrics.csv"))


def test_nothing_is_answered_from_earlier_scores(project, tmp_path, command):
    """Networks are gone, a run was trained anew, the split and the treatment of ties changed."""
    folder = tmp_path / "again"
    shutil.copytree(project, folder, symlinks=True)
    for weights in (folder / "results").rglob("*.pt"):
        weights.unlink()
    runs = find_runs(folder / "results", "clean")
    (one,) = runs[0].path.glob("epoch_2/traineval_outputs.npy")
    np.save(one, -np.load(one))
    command(
        "aucurriculum", "curriculum", "-cn", "score",
        "curriculum/scoring=EnsembleCumulativeAccuracy",
        "curriculum.scoring.stop=last", "curriculum.scoring.ties=first,7",
        "curriculum.scoring.subset=train,dev", "curriculum.scoring.average=macro",
        cwd=folder,
    )  # fmt: skip
    scores = folder / "results/clean/curriculum"
    hits = sum(
        (s.outputs.argmax(axis=1) == s.targets).astype(int)
        for run in runs
        for s in [read_outputs(run, "train", epoch) for epoch in (1, 2, 3)]
    )
    first = pd.read_csv(ensemble_scores(scores, "train-last-macro-first"))
    assert first["sum"].tolist() == hits.tolist()
    assert np.argsort(first["ranks"]).tolist() == np.argsort(-hits, kind="stable").tolist()
    drawn = pd.read_csv(ensemble_scores(scores, "train-last-macro-7"))
    assert drawn["sum"].tolist() == hits.tolist()
    assert drawn["ranks"].tolist() != first["ranks"].tolist()
    dev = pd.read_csv(ensemble_scores(scores, "dev-last-macro-first"))
    assert dev["filename"].str.startswith("dev").all()
    per_run = pd.read_csv(
        scores / "EnsembleCumulativeAccuracy" / names(folder, "last")[0] / "scores.csv"
    )
    assert per_run["filename"].tolist() == dev["filename"].tolist()  # the last one that was scored
