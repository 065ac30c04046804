import numpy as np
import pytest
from scipy import stats
from scipy.stats import norm, t, ttest_1samp

from autrainer_ext.intervals import (
    cluster_contributions,
    crossed_mean_interval,
    jeffreys_interval,
    mean_interval,
    paired_share_interval,
    share_interval,
    simultaneous_quantiles,
)


def test_interval_of_normal_values_is_that_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(3, 2, 4000)
    error = norm.ppf(0.975) * values.std() / np.sqrt(4000)
    expected = values.mean() - error, values.mean() + error
    found = mean_interval(values, n_resamples=20_000)
    np.testing.assert_allclose(found, expected, atol=0.05 * error)  # 4 standard errors


def test_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(2)
    intervals = [
        mean_interval(rng.normal(size=80), confidence=0.9, n_resamples=400) for _ in range(400)
    ]
    covered = np.mean([low <= 0 <= high for low, high in intervals])
    assert abs(covered - 0.9) < 4 * np.sqrt(0.9 * 0.1 / 400)


def test_seed_decides():
    values = np.arange(20.0) ** 2
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_degenerate_values():
    assert mean_interval(np.full(5, 0.25)) == (0.25, 0.25)
    assert np.isnan(mean_interval(np.array([1.0]))).all()
    assert np.isnan(mean_interval(np.array([]))).all()
    with pytest.raises(ValueError, match="finite"):
        mean_interval(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="one-dimensional"):
        mean_interval(np.zeros((2, 2)))


def test_crossed_interval_of_a_table_worked_by_hand():
    # rows differ by 1, columns by 1, nothing is left over: mean squares 1.5, 2 and 0, over 6 cells
    low, high = crossed_mean_interval(np.array([[1, 2, 3], [2, 3, 4]]))
    variance = 0.25 + 1 / 3
    freedom = variance**2 / (0.25**2 / 1 + (1 / 3) ** 2 / 2)
    half_width = t.ppf(0.975, freedom) * np.sqrt(variance)
    assert (low, high) == pytest.approx((2.5 - half_width, 2.5 + half_width))


def test_crossed_interval_treats_both_factors_alike():
    values = np.random.default_rng(3).normal(size=(4, 30)) + np.arange(4)[:, None]
    assert crossed_mean_interval(values.T) == pytest.approx(crossed_mean_interval(values))


def test_crossed_interval_of_one_row_is_that_of_student():
    values = np.random.default_rng(4).normal(size=40)
    expected = ttest_1samp(values, 0).confidence_interval(0.9)
    assert crossed_mean_interval(values[None], confidence=0.9) == pytest.approx(expected)


def test_crossed_interval_is_no_shorter_than_that_of_either_factor():
    # the rest alone varies: it must not be taken off twice
    values = np.tile([1.0, -1], (2, 2)) * [[1], [-1]] + np.linspace(0, 0.3, 4)
    low, high = crossed_mean_interval(values)
    columns = values.mean(axis=0)
    assert high - low >= 2 * 1.96 * columns.std(ddof=1) / np.sqrt(4)


@pytest.mark.parametrize(("of_rows", "of_columns"), [(0.05, 0.1), (0.02, 0.3), (0.0, 0.2)])
def test_crossed_interval_covers_other_rows_and_columns(of_rows, of_columns):
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(1000):
        rows, columns = rng.normal(size=(3, 1)), rng.normal(size=(1, 100))
        rest = rng.normal(size=(3, 100))
        low, high = crossed_mean_interval(of_rows * rows + of_columns * columns + 0.3 * rest)
        covered += low <= 0 <= high
    # Satterthwaite's degrees of freedom are an approximation; without rows it is conservative
    assert 0.92 <= covered / 1000 <= 0.99


def test_crossed_interval_of_degenerate_values():
    assert crossed_mean_interval(np.full((2, 3), 0.5)) == (0.5, 0.5)
    assert np.isnan(crossed_mean_interval(np.zeros((3, 1)))).all()
    assert np.isnan(crossed_mean_interval(np.zeros((0, 4)))).all()
    with pytest.raises(ValueError, match="two-dimensional"):
        crossed_mean_interval(np.zeros(4))
    with pytest.raises(ValueError, match="finite"):
        crossed_mean_interval(np.array([[1, np.inf]]))


def test_contributions_worked_by_hand():
    # mean 3; deviations of the cluster "a": -2, of "b": -1 + 0 + 3; 2 clusters of 4 values
    values, clusters = np.array([2.0, 1.0, 3.0, 6.0]), np.array(["b", "a", "b", "b"])
    assert cluster_contributions(values, clusters).tolist() == [3 - 2 * 2 / 4, 3 + 2 * 2 / 4]


@pytest.mark.parametrize("seed", range(5))
def test_contributions_of_unequal_clusters_have_the_mean_of_the_values(seed):
    rng = np.random.default_rng(seed)
    values, clusters = rng.normal(3, 2, 50), rng.integers(8, size=50) ** 2
    contributions = cluster_contributions(values, clusters)
    assert contributions.shape == np.unique(clusters).shape
    assert contributions.mean() == pytest.approx(values.mean())


def test_contributions_of_equal_clusters_are_their_means():
    values = np.random.default_rng(6).normal(size=(7, 4))
    clusters = np.repeat(np.arange(7), 4)
    shuffled = np.random.default_rng(7).permutation(28)
    found = cluster_contributions(values.ravel()[shuffled], clusters[shuffled])
    np.testing.assert_allclose(found, values.mean(axis=1))


def test_contributions_of_single_values_are_the_values():
    values = np.array([0.5, -1.0, 4.0])
    np.testing.assert_allclose(
        cluster_contributions(values, np.array([2, 0, 1])), values[[1, 2, 0]]
    )


def test_large_cluster_near_the_mean_is_not_extreme():
    # a plain sum over the cluster would be 10 times that of the others
    values = np.concatenate([np.tile([0.4, 0.6], 50), [0.3, 0.7]])
    clusters = np.concatenate([np.zeros(100, int), [1, 2]])
    contributions = cluster_contributions(values, clusters)
    assert abs(contributions - 0.5).argmax() != 0
    assert contributions[0] == pytest.approx(0.5)


def test_interval_of_contributions_covers_with_dependent_values_of_unequal_clusters():
    rng = np.random.default_rng(8)
    covered = {"contributions": 0, "values": 0}
    for _ in range(300):
        sizes = rng.integers(2, 12, size=60)
        clusters = np.repeat(np.arange(60), sizes)
        values = rng.normal(size=60)[clusters] + 0.3 * rng.normal(size=len(clusters))
        for name, sample in (
            ("contributions", cluster_contributions(values, clusters)),
            ("values", values),
        ):
            low, high = mean_interval(sample, n_resamples=300)
            covered[name] += low <= 0 <= high
    assert 0.9 <= covered["contributions"] / 300 <= 0.99
    assert covered["values"] / 300 < 0.7


def test_jeffreys_interval_holds_the_quantiles_of_its_beta_distribution():
    low, high = jeffreys_interval(7, 40, confidence=0.9)
    assert stats.beta(7.5, 33.5).cdf([low, high]) == pytest.approx([0.05, 0.95])
    assert jeffreys_interval(0, 9)[0] == 0
    assert jeffreys_interval(9, 9)[1] == 1


def test_interval_of_a_share_is_that_of_jeffreys():
    values = np.array([1] * 31 + [0] * 9)
    assert share_interval(values) == jeffreys_interval(31, 40)
    assert share_interval(values, np.arange(40)) == share_interval(values)
    assert share_interval(np.ones(20)) == jeffreys_interval(20, 20)
    assert np.isnan(share_interval(np.zeros(0))).all()
    with pytest.raises(ValueError, match="in .0, 1."):
        share_interval(np.array([0.5, 1.5]))


@pytest.mark.parametrize("kind", ["clusters", "means of runs"])
def test_interval_of_a_share_covers_dependent_and_averaged_values(kind):
    rng, covered = np.random.default_rng(9), 0
    for _ in range(600):
        chance = rng.beta(4, 1, size=40)  # mean 0.8
        hits = rng.random((40, 3)) < chance[:, None]
        clusters = np.repeat(np.arange(40), 3)
        found = (
            share_interval(hits.ravel().astype(float), clusters)
            if kind == "clusters"
            else share_interval(hits.mean(axis=1))
        )
        covered += found[0] <= 0.8 <= found[1]
    assert 0.92 <= covered / 600 <= 0.985


@pytest.mark.parametrize("freedom", [2.0, 8.0, np.inf])
def test_simultaneous_quantiles_lie_between_one_and_all_comparisons(freedom):
    found = simultaneous_quantiles(np.eye(4), np.full(4, freedom))
    alone, bonferroni = (stats.t.isf(0.025 / n, min(freedom, 1e9)) for n in (1, 4))
    sidak = stats.t.isf((1 - 0.95**0.25) / 2, min(freedom, 1e9))
    assert (found > alone).all()
    assert found == pytest.approx(np.full(4, sidak), rel=0.06)
    assert (found < 1.06 * bonferroni).all()
    assert simultaneous_quantiles(np.eye(1), np.array([freedom])) == pytest.approx([alone])


def test_paired_share_interval_covers_and_equals_the_published_formula():
    # b = 3 and c = 1 of 50: (4 - 2) / 52 -+ z sqrt((6 / 52 - (2 / 52)^2) / 52)
    first = np.array([True] * 30 + [True] * 3 + [False] * 17)
    second = np.array([True] * 30 + [False] * 3 + [True] + [False] * 16)
    half = 1.959964 * np.sqrt((6 / 52 - (2 / 52) ** 2) / 52)
    expected = (2 / 50, 2 / 52 - half, 2 / 52 + half)
    assert paired_share_interval(first, second) == pytest.approx(expected, abs=1e-6)
    reverse = paired_share_interval(second, first)
    assert reverse == pytest.approx((-expected[0], -expected[2], -expected[1]), abs=1e-6)
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(2000):
        kind = rng.choice(4, size=40, p=(0.6, 0.1, 0.05, 0.25))
        _, low, high = paired_share_interval(kind < 2, (kind == 0) | (kind == 2))
        hits.append(low <= 0.05 <= high)
    assert 0.93 < np.mean(hits) < 0.98


def test_paired_share_interval_is_nan_without_samples():
    assert np.isnan(paired_share_interval(np.array([], bool), np.array([], bool))).all()
