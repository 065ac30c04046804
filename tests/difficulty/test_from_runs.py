import shutil

import numpy as np
import pandas as pd
import pytest

from autrainer_ext.difficulty import measure_run
from autrainer_ext.difficulty.from_runs import check_same_samples, measure_saved
from autrainer_ext.runs import read_run

TARGETS = np.array([0, 1, 2, 1])
OUTPUTS = np.random.default_rng(0).normal(size=(4, 4, 3)).astype(np.float32)


def test_measures_are_those_of_the_arrays(make_run):
    measured = measure_saved(make_run("one", OUTPUTS, TARGETS, best=3))
    expected = measure_run(list(enumerate(OUTPUTS[:3], start=1)), TARGETS, best=3)
    assert measured.difficulty.iterations == (1, 2, 3)
    for field in ("hits", "probability", "margin", "first_learnt", "loss"):
        np.testing.assert_array_equal(
            getattr(measured.difficulty, field), getattr(expected, field), field
        )
    assert measured.class_names == ["a", "b", "c"]
    assert measured.samples["filename"].tolist() == ["0.wav", "1.wav", "2.wav", "3.wav"]


def test_the_stop_decides_how_far_a_run_is_read(make_run):
    run = make_run("one", OUTPUTS, TARGETS, best=2)
    assert measure_saved(run, stop="best").difficulty.iterations == (1, 2)
    last = measure_saved(run, stop="last").difficulty
    assert last.iterations == (1, 2, 3, 4)
    best = measure_saved(run, stop="best").difficulty
    np.testing.assert_array_equal(last.loss, best.loss)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_other_splits_are_read_from_their_own_files(make_run, split):
    run = make_run("one", OUTPUTS, TARGETS, split=split)
    assert measure_saved(run, split).difficulty.n_checkpoints == 4
    with pytest.raises(ValueError, match="'one' saved no clean outputs of its train split"):
        measure_saved(run)


def test_the_order_of_files_changes_nothing(make_run):
    run = make_run("one", OUTPUTS, TARGETS)
    before = measure_saved(run).difficulty
    order = np.array([2, 0, 3, 1])
    for folder in run.iterations.values():
        for kind in ("outputs", "targets", "indices"):
            path = folder / f"traineval_{kind}.npy"
            np.save(path, np.load(path)[order])
    np.testing.assert_array_equal(measure_saved(run).difficulty.hits, before.hits)


def test_evaluations_may_be_rare_and_the_last_one_extra(make_run):
    run = make_run("rare", OUTPUTS, TARGETS, every=3, iterations=13)
    with pytest.raises(ValueError, match="'rare' lacks train outputs of iteration 13"):
        measure_saved(run)
    shutil.copytree(run.path / "epoch_12", run.path / "epoch_13")
    last = measure_saved(read_run(run.path), stop="last")
    assert last.difficulty.iterations == (3, 6, 9, 12, 13)
    single = make_run("single", OUTPUTS[:1], TARGETS, every=5)
    assert measure_saved(single).difficulty.iterations == (5,)


@pytest.mark.parametrize("kept", [{5, 10}, {10}])
def test_the_spacing_is_that_of_the_configuration(make_run, kept):
    outputs = np.concatenate([OUTPUTS, OUTPUTS, OUTPUTS])[:10]
    run = make_run("thinned", outputs, TARGETS)
    assert measure_saved(run, stop="last").difficulty.n_checkpoints == 10
    for epoch in set(range(1, 11)) - kept:
        shutil.rmtree(run.path / f"epoch_{epoch}")
    with pytest.raises(ValueError, match="'thinned' lacks train outputs of iteration 1, 2, 3, 4, "):
        measure_saved(read_run(run.path), stop="last")


def test_a_continued_run_may_have_another_spacing(make_run):
    outputs = np.concatenate([OUTPUTS, OUTPUTS, OUTPUTS])[:10]
    run = make_run("continued", outputs, TARGETS)
    for epoch in (1, 3, 5):  # every second iteration up to 6 was saved, then every one
        shutil.rmtree(run.path / f"epoch_{epoch}")
    (run.path / "_metadata/clean_outputs.yaml").write_text("every: 1\nfirst: 7\n")
    difficulty = measure_saved(read_run(run.path), stop="last").difficulty
    assert difficulty.iterations == (2, 4, 6, 7, 8, 9, 10)
    shutil.rmtree(run.path / "epoch_4")
    with pytest.raises(ValueError, match="lacks train outputs of iteration 4"):
        measure_saved(read_run(run.path), stop="last")


def test_a_best_iteration_between_two_saved_ones_gives_way_to_the_earlier(make_run):
    run = make_run("rare", OUTPUTS, TARGETS, every=2, best=5)
    assert measure_saved(run).difficulty.iterations == (2, 4)
    early = make_run("early", OUTPUTS, TARGETS, every=2, best=1)
    with pytest.raises(ValueError, match="'early' saved no train outputs up to its best iter.*, 1"):
        measure_saved(early)


def resave(run, kind, change, epoch=2):
    path = run.iterations[epoch] / f"traineval_{kind}.npy"
    np.save(path, change(np.load(path)))


def relabel(run):
    path = run.path / "_metadata/train.csv"
    path.write_text(path.read_text().replace("0.wav,a", "0.wav,b"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run.path / "metrics.csv").unlink(), "'one' was cut off"),
        (
            lambda run: shutil.rmtree(run.path / "epoch_2"),
            "'one' lacks train outputs of iteration 2",
        ),
        (
            lambda run: [shutil.rmtree(run.path / f"epoch_{i}") for i in (1, 4)],
            "'one' lacks train outputs of iteration 1, 4",
        ),
        (
            lambda run: resave(run, "outputs", lambda x: x * np.nan),
            r"'one' \(train\): Outputs of iteration 2 are not all finite",
        ),
        (
            lambda run: resave(run, "targets", lambda x: x[::-1]),
            r"'one' \(train\): Targets of iteration 2 differ",
        ),
        (
            lambda run: resave(run, "indices", lambda x: x // 2),
            r"'one' \(train\): Outputs of iteration 2 do not contain every sample once",
        ),
        (
            lambda run: (run.iterations[2] / "traineval_outputs.npy").write_bytes(b"cut"),
            "one/epoch_2/traineval_outputs.npy' is truncated or not",
        ),
        (
            lambda run: (run.path / "_best/best_results.yaml").unlink(),
            "one/_best/best_results.yaml' names no best iteration",
        ),
        (relabel, "'one': the metadata of the train split do not match"),
    ],
)
def test_damaged_runs_are_named(make_run, damage, message):
    run = make_run("one", OUTPUTS, TARGETS)
    measure_saved(run)
    damage(run)
    with pytest.raises(ValueError, match=message):
        measure_saved(read_run(run.path))


def test_runs_over_other_samples_are_named(make_run):
    first, same = (measure_saved(make_run(name, OUTPUTS, TARGETS)) for name in ("one", "same"))
    check_same_samples([first, same])
    other = measure_saved(make_run("labels", OUTPUTS, TARGETS[::-1]))
    run = make_run("files", OUTPUTS, TARGETS)
    table = pd.read_csv(run.path / "_metadata/train.csv").assign(filename=list("wxyz"))
    table.to_csv(run.path / "_metadata/train.csv", index=False)
    for different in (other, measure_saved(run)):
        with pytest.raises(ValueError, match=f"'one' and '{different.run.name}' have different"):
            check_same_samples([first, same, different])


def test_unknown_splits_and_stops_are_named(make_run):
    run = make_run("one", OUTPUTS, TARGETS)
    with pytest.raises(ValueError, match="Unknown split 'nowhere'"):
        measure_saved(run, "nowhere")
    with pytest.raises(ValueError, match="Unknown stop 'first'.*best, last"):
        measure_saved(run, stop="first")
