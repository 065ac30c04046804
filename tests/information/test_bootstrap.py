from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from autrainer_ext.information import (
    accuracy,
    balanced_accuracy,
    confusion_interval,
    ema,
    entropies,
    nit,
    resample_counts,
    triangle_points,
)

COUNTS = np.array([[30, 6, 0], [4, 20, 5], [0, 9, 12]])


def measures(counts):
    h = entropies(counts)
    points = triangle_points(h).values()
    coordinates = [c for p in points for c in (p.divergence, p.mutual_information, p.variation)]
    scores = [ema(h), nit(h), accuracy(counts), balanced_accuracy(counts)]
    return np.stack([*coordinates, *scores], axis=-1)


@pytest.mark.parametrize("method", ["basic", "percentile", "bca"])
@pytest.mark.parametrize("seed", range(3))
def test_limits_are_those_of_scipy_on_the_same_resamples(method, seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.uniform(0, 15, (3, 3))) + 3 * np.eye(3, dtype=int)
    samples = np.repeat(np.arange(9), counts.ravel())
    drawn = resample_counts(counts, 400, np.random.default_rng(seed))
    low, high = confusion_interval(counts, measures, method=method, n_resamples=400, seed=seed)
    for column in range(len(low)):

        def statistic(samples, axis, column=column):
            matrices = np.stack([(samples == cell).sum(axis=axis) for cell in range(9)], axis=-1)
            return measures(matrices.reshape(*matrices.shape[:-1], 3, 3))[..., column]

        expected = stats.bootstrap(
            (samples,),
            statistic,
            n_resamples=0,
            bootstrap_result=SimpleNamespace(bootstrap_distribution=measures(drawn)[:, column]),
            method=method,
        ).confidence_interval
        np.testing.assert_allclose((low[column], high[column]), expected, atol=1e-10)


def test_resampled_matrices_are_distributed_as_resampled_samples():
    drawn = resample_counts(COUNTS, 20_000, np.random.default_rng(0))
    n, shares = COUNTS.sum(), COUNTS / COUNTS.sum()
    assert (drawn.sum(axis=(1, 2)) == n).all()
    assert (drawn[:, COUNTS == 0] == 0).all()
    np.testing.assert_allclose(drawn.mean(axis=0), COUNTS, atol=0.2)
    np.testing.assert_allclose(drawn.var(axis=0), n * shares * (1 - shares), rtol=0.05)


def test_interval_of_accuracy_is_near_that_of_the_normal_distribution():
    low, high = confusion_interval([[420, 180], [120, 280]], accuracy, n_resamples=5000)
    half = 1.96 * np.sqrt(0.7 * 0.3 / 1000)
    np.testing.assert_allclose((low, high), (0.7 - half, 0.7 + half), atol=0.002)


def test_basic_limits_hold_the_true_mutual_information():
    """Ten classes, 600 samples; limits of the other methods are biased (see the module)."""
    rng = np.random.default_rng(0)
    shares = (np.eye(10) + 0.06) / (np.eye(10) + 0.06).sum()
    truth = entropies(shares).mutual_information
    matrices = rng.multinomial(600, shares.ravel(), size=100).reshape(-1, 10, 10)

    def statistic(counts):
        return entropies(counts).mutual_information

    held = {}
    for method in ("basic", "percentile"):
        low, high = confusion_interval(matrices, statistic, method=method, n_resamples=300)
        held[method] = np.mean((low <= truth) & (truth <= high))
    assert held["basic"] > 0.85
    assert held["percentile"] < 0.5


def test_interval_of_a_matrix_does_not_depend_on_its_neighbours():
    stack = np.stack([[COUNTS, COUNTS.T], [COUNTS + 1, COUNTS]])
    low, high = confusion_interval(stack, measures, n_resamples=50, seed=3)
    assert low.shape == high.shape == (2, 2, 13)
    alone = confusion_interval(COUNTS, measures, n_resamples=50, seed=3)
    np.testing.assert_array_equal((low[1, 1], high[1, 1]), alone)
    assert not np.array_equal(low[0, 0], confusion_interval(COUNTS, measures, n_resamples=50)[0])


def test_memory_is_bounded(monkeypatch):
    seen = []

    def statistic(counts):
        seen.append(len(counts))
        return accuracy(counts)

    monkeypatch.setattr("autrainer_ext.information.bootstrap._CELLS_AT_A_TIME", 100)
    confusion_interval(COUNTS, statistic, n_resamples=25)
    assert seen == [1, 11, 11, 3]


@pytest.mark.parametrize("method", ["basic", "percentile", "bca"])
def test_what_does_not_vary_has_an_interval_of_no_width(method):
    low, high = confusion_interval(np.diag([5, 3]), accuracy, method=method, n_resamples=50)
    assert (low, high) == (1, 1)


@pytest.mark.parametrize("method", ["basic", "percentile", "bca"])
def test_one_sample_has_no_interval(method):
    limits = confusion_interval([[1, 0], [0, 0]], measures, method=method, n_resamples=50)
    assert np.isnan(limits).all()


def test_no_matrices_give_no_intervals():
    low, high = confusion_interval(np.zeros((0, 2, 2)), accuracy)
    assert low.shape == high.shape == (0,)


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([[0.5, 1]], {}, "must hold whole numbers"),
        ([[0, 0]], {}, "Argument 'counts' must not sum to zero"),
        (COUNTS, {"method": "normal"}, "Unknown bootstrap method 'normal'.*basic, percentile, bca"),
        (COUNTS, {"confidence": 95}, "between 0 and 1, got 95"),
        (COUNTS, {"n_resamples": 1}, "at least 2, got 1"),
    ],
)
def test_impossible_requests_are_named(counts, options, message):
    with pytest.raises(ValueError, match=message):
        confusion_interval(counts, accuracy, **options)
