import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from autrainer_ext.difficulty import (
    correlate_pairs,
    mean_agreement,
    rank_correlations,
)


def noisy_hits(rng, n_runs, n_samples=400, n_checkpoints=10):
    """Scores of runs with the same sample difficulty and independent noise."""
    ease = rng.beta(2, 1, size=n_samples)
    return rng.binomial(n_checkpoints, ease, size=(n_runs, n_samples))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 6), st.integers(1, 6))
def test_rank_correlations_are_those_of_scipy(seed, n_samples, n_first, n_second):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(n_first, size=n_samples), rng.integers(n_second, size=n_samples)
    counts = np.zeros((n_first, n_second))
    np.add.at(counts, (first, second), 1)
    rho, tau = rank_correlations(counts)
    if len(set(first.tolist())) == 1 or len(set(second.tolist())) == 1:
        assert math.isnan(rho)
        assert math.isnan(tau)
    else:
        assert rho == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
        assert tau == pytest.approx(kendalltau(first, second).statistic, abs=1e-12)


def test_correlations_worked_out_by_hand():
    # ranks 1 2 3 against 1 3 2: rho = 1 - 6 * 2 / 24, tau = (2 - 1) / 3
    rho, tau = rank_correlations(np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]]))
    assert (rho, tau) == (pytest.approx(0.5), pytest.approx(1 / 3))
    assert rank_correlations(np.eye(3)) == (1, 1)
    assert rank_correlations(np.eye(3)[::-1]) == (-1, -1)


def test_resamples_are_correlations_of_the_samples_drawn():
    rng = np.random.default_rng(3)
    scores = rng.integers(4, size=(3, 30)) / 4
    pairs = list(itertools.combinations(range(3), 2))
    found = correlate_pairs(scores, pairs, n_resamples=5, seed=9)
    generator = np.random.default_rng(9)
    for resample in found.resampled:
        drawn = scores[:, generator.integers(30, size=30)]
        for (i, j), (rho, tau) in zip(pairs, resample, strict=True):
            assert rho == pytest.approx(spearmanr(drawn[i], drawn[j]).statistic)
            assert tau == pytest.approx(kendalltau(drawn[i], drawn[j]).statistic)


def test_the_interval_covers_the_true_correlation_as_often_as_it_says():
    rng = np.random.default_rng(0)
    population = noisy_hits(rng, 3, n_samples=200_000) / 10
    pairs = list(itertools.combinations(range(3), 2))
    truth = mean_agreement(correlate_pairs(population, pairs, n_resamples=0))
    covered = np.zeros(2)
    for seed in range(100):
        sample = population[:, rng.integers(200_000, size=150)]
        found = mean_agreement(correlate_pairs(sample, pairs, n_resamples=200, seed=seed))
        covered += [
            found.spearman_low <= truth.spearman <= found.spearman_high,
            found.kendall_low <= truth.kendall <= found.kendall_high,
        ]
    # 95 of 100 expected; fewer than 85 would happen once in 25,000 times
    assert (covered >= 85).all()


def test_without_resamples_there_is_no_interval():
    found = mean_agreement(
        correlate_pairs(np.array([[1, 2, 3], [1, 3, 2]]), [(0, 1)], n_resamples=0)
    )
    assert found.spearman == pytest.approx(0.5)
    assert math.isnan(found.spearman_low)


def test_groups_average_their_own_pairs():
    scores = np.array([[1.0, 2, 3], [1, 2, 3], [3, 2, 1]])
    found = correlate_pairs(scores, [(0, 1), (0, 2), (1, 2)], n_resamples=3)
    assert mean_agreement(found, [0]).spearman == 1
    assert mean_agreement(found, [1, 2]).kendall == -1
    whole = mean_agreement(found)
    assert (whole.n_pairs, whole.spearman) == (3, pytest.approx(-1 / 3))


def test_a_constant_score_agrees_with_nothing():
    found = mean_agreement(correlate_pairs(np.array([[1.0, 1, 1], [1, 2, 3]]), [(0, 1)]))
    assert math.isnan(found.spearman)
    assert math.isnan(found.kendall_high)


@pytest.mark.parametrize("n_values", [4, 5000])
def test_scores_with_many_values_are_those_of_scipy(n_values):
    rng = np.random.default_rng(1)
    shared = rng.integers(n_values, size=5000)
    scores = np.stack([shared, shared + rng.integers(n_values, size=5000)]).astype(float)
    found = correlate_pairs(scores, [(0, 1)], n_resamples=2, seed=3)
    expected = spearmanr(*scores).statistic, kendalltau(*scores).statistic
    assert found.observed[0].tolist() == pytest.approx(expected)
    generator = np.random.default_rng(3)
    for resampled in found.resampled[:, 0]:
        drawn = scores[:, generator.integers(5000, size=5000)]
        expected = spearmanr(*drawn).statistic, kendalltau(*drawn).statistic
        assert resampled.tolist() == pytest.approx(expected)


def test_impossible_scores_are_rejected():
    with pytest.raises(ValueError, match=r"\(2, 0\)"):
        correlate_pairs(np.zeros((2, 0)), [(0, 1)])
    with pytest.raises(ValueError, match="numbers"):
        correlate_pairs(np.array([[np.nan, 1.0]]), [])
    some = correlate_pairs(np.array([[1.0, 2], [1, 2]]), [(0, 1)], n_resamples=2)
    with pytest.raises(ValueError, match="There are no pairs"):
        mean_agreement(some, [])
    with pytest.raises(ValueError, match=r"between 0 and 1, got 95"):
        mean_agreement(some, confidence=95)
