import shutil

import numpy as np
import pytest

import autrainer_ext
from autrainer_ext.runs import find_runs, read_outputs

pytestmark = pytest.mark.slow


def test_table_is_the_share_of_correct_checkpoints(tiny):
    table = autrainer_ext.difficulty(tiny / "results/clean", stop="last")
    hits = np.zeros(36)
    for run in find_runs(tiny / "results", "clean"):
        for iteration in (1, 2, 3):
            saved = read_outputs(run, "train", iteration)
            hits += saved.outputs.argmax(axis=1) == saved.targets
    assert table["split"].unique().tolist() == ["train"]
    np.testing.assert_allclose(table["cumulative_accuracy"], hits / 6)
    easiest = table.loc[table["rank"].idxmin(), "cumulative_accuracy"]
    assert easiest == (hits / 6).max()


def test_one_run_and_another_split(tiny):
    (run, _) = find_runs(tiny / "results", "clean")
    table = autrainer_ext.difficulty(run.path, split="test", stop="last")
    assert len(table) == 18
    assert set(table["count"]) == {3}


def test_unfinished_runs_are_left_out_with_a_warning(tiny, tmp_path):
    shutil.copytree(tiny / "results/clean/training", tmp_path / "e/training")
    (first, second) = find_runs(tmp_path, "e")
    (first.path / "metrics.csv").unlink()
    with pytest.warns(UserWarning, match=f"Run '{first.name}' is not finished"):
        table = autrainer_ext.difficulty(tmp_path / "e", stop="last")
    assert set(table["count"]) == {3}
    (second.path / "metrics.csv").unlink()
    with (
        pytest.warns(UserWarning, match="is not finished"),
        pytest.raises(ValueError, match=r"No run in '.*' is finished"),
    ):
        autrainer_ext.difficulty(tmp_path / "e")


def test_wrong_folders_and_splits_are_reported(tiny):
    with pytest.raises(ValueError, match="'nowhere' does not exist"):
        autrainer_ext.difficulty("nowhere")
    with pytest.raises(ValueError, match=r"Unknown split 'tset'\. Did you mean 'test'"):
        autrainer_ext.difficulty(tiny / "results/clean", split="tset")
