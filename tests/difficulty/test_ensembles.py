import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from autrainer_ext.difficulty import ensemble_sizes


def noisy_hits(rng, n_runs, n_samples=400, n_checkpoints=10):
    """Hits of runs with the same sample difficulty and independent noise."""
    ease = rng.beta(2, 1, size=n_samples)
    return rng.binomial(n_checkpoints, ease, size=(n_runs, n_samples))


def test_sizes_agree_with_subsets_written_out():
    hits = noisy_hits(np.random.default_rng(1), 4)
    found = ensemble_sizes(hits, [10] * 4)
    assert found.size.tolist() == [1, 2, 3, 4]
    assert found.n_subsets.tolist() == [4, 6, 4, 1]
    whole = hits.sum(axis=0)
    for size, mean, low, high in zip(
        found.size, found.with_all, found.lowest, found.highest, strict=True
    ):
        expected = [
            spearmanr(hits[list(runs)].sum(axis=0), whole).statistic
            for runs in itertools.combinations(range(4), size)
        ]
        assert mean == pytest.approx(np.mean(expected))
        assert (low, high) == (pytest.approx(min(expected)), pytest.approx(max(expected)))
    halves = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    expected = [
        spearmanr(hits[list(a)].sum(axis=0), hits[list(b)].sum(axis=0)).statistic for a, b in halves
    ]
    assert found.disjoint[1] == pytest.approx(np.mean(expected))
    assert np.isnan(found.disjoint[2:]).all()
    assert found.with_all[-1] == 1


def test_agreement_with_all_flatters_and_disjoint_ensembles_do_not():
    rng = np.random.default_rng(2)
    noise = rng.binomial(10, 0.5, size=(6, 400))  # nothing in common
    found = ensemble_sizes(noise, [10] * 6)
    assert found.with_all[2] > 0.5
    assert abs(found.disjoint[2]) < 0.1


def test_the_size_that_is_enough():
    found = ensemble_sizes(noisy_hits(np.random.default_rng(4), 8), [10] * 8, n_subsets=10)
    needed = found.reaching(0.95)
    assert found.with_all[needed - 1] >= 0.95 > found.with_all[needed - 2]
    assert found.n_subsets.max() == 10
    assert found.reaching(1.1) is None


def test_a_single_run_is_its_own_ensemble():
    found = ensemble_sizes(np.array([[1, 2, 3]]), [3])
    assert (found.with_all.tolist(), found.reaching()) == ([1], 1)
    assert np.isnan(found.disjoint).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["micro", "macro"]))
def test_means_over_all_subsets_do_not_depend_on_the_order_of_runs(seed, average):
    rng = np.random.default_rng(seed)
    hits, lengths = rng.integers(4, size=(4, 30)), rng.integers(3, 6, size=4)
    order = rng.permutation(4)
    first = ensemble_sizes(hits, lengths.tolist(), average=average)
    other = ensemble_sizes(hits[order], lengths[order].tolist(), average=average)
    np.testing.assert_allclose(first.with_all, other.with_all)


def test_macro_averages_of_long_runs_of_different_lengths_have_an_agreement():
    rng = np.random.default_rng(5)
    lengths = [37, 41, 43, 46, 47, 50]
    ease = rng.beta(2, 1, size=5000)
    hits = np.stack([rng.binomial(n, ease) for n in lengths])
    found = ensemble_sizes(hits, lengths, average="macro", n_subsets=2)
    assert found.with_all[-1] == pytest.approx(1)
    assert (np.diff(found.with_all) > 0).all()


def test_intervals_hold_the_means_and_narrow_with_more_samples():
    rng = np.random.default_rng(6)
    widths = []
    for n_samples in (100, 1600):
        hits = noisy_hits(rng, 4, n_samples)
        found = ensemble_sizes(hits, [10] * 4, n_resamples=60)
        for name in ("with_all", "with_all_kendall", "disjoint", "disjoint_kendall"):
            mean, low, high = (getattr(found, f"{name}{end}")[0] for end in ("", "_low", "_high"))
            assert low < mean < high
        widths.append(found.disjoint_high[0] - found.disjoint_low[0])
    assert widths[1] < widths[0] / 2
    assert found.with_all_kendall[0] < found.with_all[0]
