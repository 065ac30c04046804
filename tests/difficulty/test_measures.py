import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.difficulty import class_means, cumulative_accuracy, measure_run, pool_runs

FIELDS = (
    "hits",
    "count",
    "cumulative_accuracy",
    "cumulative_probability",
    "first_learnt",
    "forgetting_events",
    "confidence",
    "variability",
    "loss",
    "margin",
)


def logits(predictions, n_classes=3):
    """Checkpoints of a run from the predicted class of every sample; shape (E, N)."""
    return [
        (epoch, 2.0 * np.eye(n_classes, dtype=np.float32)[row])
        for epoch, row in enumerate(predictions, start=1)
    ]


def random_run(rng, n_checkpoints=5, n_samples=7, n_classes=4):
    outputs = rng.normal(size=(n_checkpoints, n_samples, n_classes)).astype(np.float32)
    return list(enumerate(outputs, start=1))


TARGETS = np.array([0, 1, 2, 0])
PREDICTIONS = [  # one row per epoch
    [0, 0, 0, 0],
    [0, 1, 0, 1],
    [0, 1, 0, 0],
    [0, 1, 0, 1],
]


def test_measures_of_a_run_worked_out_by_hand():
    run = measure_run(logits(PREDICTIONS), TARGETS, best=3)
    assert run.iterations == (1, 2, 3, 4)
    assert run.hits.tolist() == [4, 3, 0, 2]
    assert run.first_learnt.tolist() == [1, 2, math.inf, math.inf]
    assert run.forgetting_events.tolist() == [0, 0, 0, 2]
    right, wrong = math.exp(2) / (math.exp(2) + 2), 1 / (math.exp(2) + 2)
    np.testing.assert_allclose(
        run.probability, [4 * right, 3 * right + wrong, 4 * wrong, 2 * right + 2 * wrong]
    )
    assert run.margin.tolist() == [8, 4, -8, 0]
    np.testing.assert_allclose(run.loss, -np.log([right, right, wrong, right]))  # epoch 3


def test_pooled_measures_worked_out_by_hand():
    long = measure_run(logits(PREDICTIONS), TARGETS, best=4)
    short = measure_run(logits([[1, 1, 2, 1], [0, 1, 0, 0]]), TARGETS, best=1)
    micro = pool_runs([long, short])
    assert micro.hits.tolist() == [5, 5, 1, 3]
    assert micro.count.tolist() == [6, 6, 6, 6]
    np.testing.assert_array_equal(micro.cumulative_accuracy, np.array([5, 5, 1, 3]) / 6)
    macro = pool_runs([long, short], average="macro")
    np.testing.assert_array_equal(macro.cumulative_accuracy, [0.75, 0.875, 0.25, 0.5])
    assert macro.hits.tolist() == micro.hits.tolist()
    # before it is right for good: 0, 1, 4, 4 of 4 checkpoints and 1, 0, 2, 1 of 2
    np.testing.assert_allclose(micro.first_learnt, [0.25, 0.125, 1, 0.75])
    # the third is never right in the long run; the fourth is forgotten twice and never
    np.testing.assert_allclose(micro.forgetting_events, [0, 0, 1, 1])
    assert micro.never_learnt.tolist() == [0, 0, 0.5, 0]
    np.testing.assert_allclose(micro.margin, [8 / 6, 8 / 6, -8 / 6, 0], atol=1e-15)
    np.testing.assert_allclose(macro.margin, [1, 1.5, -1, 0], atol=1e-15)


def test_samples_that_are_never_learnt_are_not_those_that_are_never_forgotten():
    run = measure_run(logits([[1, 2, 2, 0], [1, 2, 0, 0]]), TARGETS, best=1)
    pooled = pool_runs([run, run])
    always, never = TARGETS.tolist().index(1), int(np.argmin(pooled.hits))
    assert pooled.hits[never] == 0
    assert pooled.forgetting_events[never] == math.inf
    assert pooled.never_learnt[never] == 1
    assert pooled.never_learnt[always] in (0, 1)


def test_sums_agree_with_the_definitions_on_all_outputs_at_once():
    rng = np.random.default_rng(0)
    targets = rng.integers(4, size=7)
    runs = [random_run(rng, n) for n in (5, 3)]
    probabilities = []
    for run in runs:
        outputs = np.stack([o for _, o in run]).astype(float)
        softmax = np.exp(outputs) / np.exp(outputs).sum(axis=2, keepdims=True)
        probabilities.append(softmax[:, np.arange(7), targets])
    measured = [measure_run(run, targets, best=2) for run in runs]
    micro, macro = pool_runs(measured), pool_runs(measured, average="macro")
    np.testing.assert_allclose(
        micro.cumulative_probability, np.concatenate(probabilities).mean(axis=0)
    )
    np.testing.assert_allclose(macro.cumulative_probability, macro.confidence)
    np.testing.assert_allclose(
        micro.confidence, np.mean([p.mean(axis=0) for p in probabilities], axis=0)
    )
    np.testing.assert_allclose(
        micro.variability, np.mean([p.std(axis=0) for p in probabilities], axis=0)
    )
    np.testing.assert_allclose(micro.loss, np.mean([-np.log(p[1]) for p in probabilities], axis=0))


def test_margin_of_logits_is_that_of_log_probabilities():
    rng = np.random.default_rng(1)
    run, targets = random_run(rng, 1), rng.integers(4, size=7)
    log_probability = run[0][1] - np.log(np.exp(run[0][1]).sum(axis=1, keepdims=True))
    shifted = measure_run([(1, log_probability)], targets, best=1).margin
    np.testing.assert_allclose(measure_run(run, targets, best=1).margin, shifted, atol=1e-6)


def test_equal_fractions_are_equal_numbers():
    assert 1 / 10 + 1 / 5 != 3 / 10  # as sums of floating point numbers they differ
    first, second = cumulative_accuracy(np.array([[1, 3], [1, 0]]), [10, 5], average="macro")
    assert first == second == 0.15


def test_common_denominators_beyond_64_bits():
    lengths = [97, 89, 83, 79, 73, 71, 67, 61, 59, 53, 47]
    hits = np.array([[n, 0] for n in lengths])
    assert math.lcm(*lengths) > 2**63
    assert cumulative_accuracy(hits, lengths, average="macro").tolist() == [1.0, 0.0]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["micro", "macro"]))
def test_order_of_runs_changes_no_bit(seed, average):
    rng = np.random.default_rng(seed)
    targets = rng.integers(4, size=7)
    lengths = rng.integers(1, 6, size=rng.integers(1, 6))
    runs = [measure_run(random_run(rng, n), targets, best=1) for n in lengths]
    shuffled = [runs[i] for i in rng.permutation(len(runs))]
    ordered, other = pool_runs(runs, average=average), pool_runs(shuffled, average=average)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(ordered, field), getattr(other, field), field)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_permuting_samples_or_classes_permutes_or_keeps_the_measures(seed):
    rng = np.random.default_rng(seed)
    run, targets = random_run(rng), rng.integers(4, size=7)
    order, classes = rng.permutation(7), rng.permutation(4)
    plain = pool_runs([measure_run(run, targets, best=5)])
    moved = [(epoch, outputs[order][:, np.argsort(classes)]) for epoch, outputs in run]
    other = pool_runs([measure_run(moved, classes[targets[order]], best=5)])
    for field in FIELDS:
        np.testing.assert_allclose(
            getattr(plain, field)[order], getattr(other, field), atol=1e-12, err_msg=field
        )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_ranges_and_relations_hold(seed):
    rng = np.random.default_rng(seed)
    targets = rng.integers(4, size=7)
    runs = [measure_run(random_run(rng, n), targets, best=1) for n in rng.integers(1, 6, size=3)]
    pooled = pool_runs(runs)
    assert (pooled.hits <= pooled.count).all()
    assert (pooled.variability <= 0.5).all()
    assert ((pooled.first_learnt >= 0) & (pooled.first_learnt <= 1)).all()
    # a sample right in every checkpoint was learnt at once and never forgotten
    always = pooled.hits == pooled.count
    np.testing.assert_array_equal(always, pooled.first_learnt == 0)
    assert (pooled.forgetting_events[always] == 0).all()
    # the share of right checkpoints is at least the share after the last wrong one
    for run in runs:
        final = len(run.iterations) - np.searchsorted(run.iterations, run.first_learnt)
        assert (run.hits >= final).all()


def test_one_run_one_checkpoint_one_class():
    pooled = pool_runs([measure_run([(7, np.full((3, 1), -4.0))], np.zeros(3, int), best=7)])
    assert pooled.hits.tolist() == [1, 1, 1]
    assert pooled.cumulative_probability.tolist() == [1, 1, 1]
    assert pooled.margin.tolist() == pooled.variability.tolist() == pooled.loss.tolist() == [0] * 3


def test_extreme_logits_stay_finite():
    outputs = np.array([[3e4, -3e4], [-3e4, 3e4]], dtype=np.float32)
    pooled = pool_runs([measure_run([(1, outputs)], np.array([0, 0]), best=1)])
    assert pooled.loss.tolist() == [0, 6e4]
    assert pooled.cumulative_probability.tolist() == [1, 0]


def test_equal_logits_are_right_for_the_first_class_only():
    outputs = np.zeros((2, 2), dtype=np.float32)
    assert measure_run([(1, outputs)], np.array([0, 1]), best=1).hits.tolist() == [1, 0]


def test_outputs_are_left_alone():
    run = logits(PREDICTIONS)
    before = [outputs.copy() for _, outputs in run]
    measure_run(run, TARGETS, best=1)
    for (_, after), outputs in zip(run, before, strict=True):
        np.testing.assert_array_equal(after, outputs)


@pytest.mark.parametrize(
    ("checkpoints", "best", "message"),
    [
        ([], 1, "There are no checkpoints"),
        (logits(PREDICTIONS), 5, "The best iteration, 5, is not among"),
        (logits(PREDICTIONS)[::-1], 1, "iteration 3 after 4"),
        ([(1, np.full((4, 3), np.nan))], 1, "iteration 1 are not all finite"),
        ([(1, np.zeros((3, 3)))], 1, r"shape \(3, 3\), expected \(4 samples"),
        ([(1, np.zeros((4, 2)))], 1, r"Targets must be in \[0, 2\), got 0 to 2"),
    ],
)
def test_impossible_checkpoints_are_rejected(checkpoints, best, message):
    with pytest.raises(ValueError, match=message):
        measure_run(checkpoints, TARGETS, best=best)


def test_impossible_ensembles_are_rejected():
    run = measure_run(logits(PREDICTIONS), TARGETS, best=1)
    other = measure_run(logits([[0]]), np.array([0]), best=1)
    for runs, average, message in [
        ([], "micro", "no runs"),
        ([run, other], "micro", r"numbers of samples: \[1, 4\]"),
        ([run], "mean", "'mean'"),
    ]:
        with pytest.raises(ValueError, match=message):
            pool_runs(runs, average=average)
    with pytest.raises(ValueError, match="no samples"):
        measure_run([], np.zeros(0, int), best=1)


def test_class_means_leave_out_classes_without_samples():
    means = class_means(np.array([1.0, 2, 4]), np.array([0, 2, 2]), n_classes=3)
    np.testing.assert_array_equal(means, [1, np.nan, 3])
