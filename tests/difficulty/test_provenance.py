import shutil

import numpy as np
import pytest

from autrainer_ext.difficulty.provenance import select_runs, trace_scores

TARGETS = np.array([0, 1, 2, 1])
OUTPUTS = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
SETTINGS = {"average": "micro"}


def digest(runs, stop="last", settings=SETTINGS):
    return trace_scores(runs, "train", stop, settings).digest


def test_whatever_scores_depend_on_changes_the_digest(make_run, tmp_path):
    first, other = (make_run(name, OUTPUTS, TARGETS, best=2) for name in ("first", "other"))
    values = [
        digest([first]),
        digest([other]),
        digest([first, other]),
        digest([first], stop="best"),
        digest([first], settings={"average": "macro"}),
    ]
    path = first.iterations[2] / "traineval_outputs.npy"
    np.save(path, -np.load(path))
    values.append(digest([first]))
    assert len(set(values)) == len(values)
    assert all(len(value) == 8 for value in values)


def test_order_and_place_of_the_runs_do_not_matter(make_run, tmp_path):
    runs = [make_run(name, OUTPUTS, TARGETS) for name in ("a", "b")]
    before = digest(runs)
    assert digest(runs[::-1]) == before
    shutil.copytree(tmp_path / "results", tmp_path / "moved")
    assert digest(select_runs(tmp_path / "moved", "some", "*")) == before


def test_names_patterns_and_aggregated_runs_stand_for_runs(make_run, tmp_path):
    runs = [make_run(name, OUTPUTS, TARGETS) for name in ("a_1", "a_2", "b_1")]
    (runs[1].path / "metrics.csv").unlink()  # not finished
    group = tmp_path / "results/some/agg_seed/a_#"
    group.mkdir(parents=True)
    (group / "runs.yaml").write_text("- a_1\n- a_2\n")

    def names(given):
        return [run.name for run in select_runs(tmp_path / "results", "some", given)]

    assert names("a_*") == ["a_1"]
    assert names(["b_1", "*_1"]) == ["b_1", "a_1"]
    assert names("a_#") == ["a_1", "a_2"]
    with pytest.raises(ValueError, match="No finished run of 'some' matches 'c_\\*'"):
        names("c_*")
    with pytest.raises(ValueError, match="Run 'c_1' of 'some' does not exist"):
        names("c_1")
