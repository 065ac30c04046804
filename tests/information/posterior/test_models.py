"""Parts of the posterior against slow formulas, enumeration and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from autrainer_ext.information import entropies, triangle_points
from autrainer_ext.information.posterior import QUANTITIES, table_quantities
from autrainer_ext.information.posterior.borders import border_p_values
from autrainer_ext.information.posterior.margins import draw_margin, grassberger_entropy
from autrainer_ext.information.posterior.mixtures import sum_to_one
from autrainer_ext.information.posterior.recall import draw_recall, fit_recall
from autrainer_ext.information.posterior.spread import draw_spread, fit_spread


@pytest.mark.parametrize("seed", range(3))
def test_quantities_are_those_of_the_triangle(seed):
    counts = np.random.default_rng(seed).integers(0, 9, (5, 5)) + np.eye(5, dtype=int)
    found = dict(zip(QUANTITIES, table_quantities(counts), strict=True))
    for view, point in triangle_points(entropies(counts)).items():
        assert found[f"divergence_{view}"] == pytest.approx(point.divergence)
        assert found[f"variation_{view}"] == pytest.approx(point.variation)
        assert found["mutual_information"] == pytest.approx(point.mutual_information)
        x = point.divergence + point.mutual_information / 2
        assert found[f"x_{view}"] == pytest.approx(x)


def polya(counts, shape):
    """Log likelihood of a sequence of labels, drawn one by one: shares follow what was drawn."""
    found, drawn = 0.0, np.array(shape, dtype=float)
    for column, n in enumerate(counts):
        for _ in range(n):
            found += math.log(drawn[column] / drawn.sum())
            drawn[column] += 1
    return found


def test_plain_models_are_weighted_by_the_likelihood_of_drawing_rows_one_by_one():
    counts = np.array([[7, 1, 0], [2, 5, 1], [0, 0, 4]])
    models = fit_spread(counts, is_mistakes=False)
    even = ~np.isfinite(models.b)  # an even base has no likelihood of its own
    assert even.sum() == 11
    prior = np.where(np.isfinite(models.a), 0.65 / 10, 0.35) * 0.35
    for number in np.flatnonzero(even):
        a = models.a[number] if np.isfinite(models.a[number]) else 1e8
        expected = sum(polya(row, [a / 3] * 3) for row in counts)
        assert models.log_weight[number] == pytest.approx(
            expected + np.log(prior[number]), abs=1e-4
        )


def test_rows_and_bases_have_the_posterior_mean_of_their_model():
    counts = np.array([[40, 10, 0], [10, 40, 10], [0, 10, 60]])
    rows, _ = draw_spread(fit_spread(counts, is_mistakes=False), 4000, np.random.default_rng(0))
    np.testing.assert_allclose(rows.mean(axis=0), sum_to_one(counts), atol=0.04)


def test_mistakes_never_fall_on_the_diagonal_and_similar_classes_are_found():
    counts = np.zeros((8, 8), dtype=int)
    counts[np.arange(8), np.arange(8) ^ 1] = 9
    counts[0, 5] = counts[3, 6] = 1
    models = fit_spread(counts, is_mistakes=True)
    assert models.weight[models.hot > 0].sum() > 0.9
    rows, _ = draw_spread(models, 500, np.random.default_rng(0))
    assert (rows[:, np.arange(8), np.arange(8)] == 0).all()
    assert (rows[:, np.arange(8), np.arange(8) ^ 1].mean(axis=0) > 0.7).all()


def test_recalls_of_even_classes_are_weighted_by_beta_binomial_likelihood():
    hits, misses = np.array([8, 6, 9]), np.array([2, 4, 1])
    models = fit_recall(hits, misses, np.full(3, 1 / 3))
    level = models.level
    ratios = models.log_weight[0] - models.log_weight[0, 0]
    for number in (3, 8):
        expected = []
        for g in (0, number):
            a, m = models.a[g], level[g]
            found = stats.betabinom.logpmf(hits, 10, a * m, a * (1 - m)).sum()
            n = models.informative[g]  # what averaging over the level costs
            cost = stats.beta(n * m + 0.5, n * (1 - m) + 0.5)
            x = np.linspace(1e-4, 1 - 1e-4, 20001)
            share = x ** (n * m) * (1 - x) ** (n * (1 - m)) * stats.beta(0.5, 0.5).pdf(x)
            best = m ** (n * m) * (1 - m) ** (n * (1 - m))
            assert cost.mean() == pytest.approx(m, abs=0.05)
            expected.append(found + np.log(np.sum(share) * (x[1] - x[0]) / best))
        assert ratios[number] == pytest.approx(expected[1] - expected[0], abs=0.02)


def test_recalls_shrink_towards_each_other():
    models = fit_recall(np.array([5, 45, 42, 47]), np.array([0, 5, 8, 3]), np.full(4, 0.25))
    drawn = draw_recall(models, None, 4000, np.random.default_rng(0)).mean(axis=0)
    assert 0.88 < drawn[0] < 0.95  # five of five, among classes of nine of ten


def test_margins_are_drawn_from_their_posterior():
    counts = np.array([300, 150, 50])
    drawn = draw_margin(counts, 8000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=0), counts / 500, atol=0.005)
    np.testing.assert_allclose(drawn.var(axis=0), counts / 500 * (1 - counts / 500) / 500, rtol=0.1)


@pytest.mark.parametrize("skew", [1, 6])
def test_grassberger_has_a_fraction_of_the_bias_of_the_plugin(skew):
    shares, n = np.geomspace(1, 1 / skew, 12), 60
    shares /= shares.sum()
    drawn = np.random.default_rng(skew).multinomial(n, shares, 4000)
    true = stats.entropy(shares, base=2)
    plugin = stats.entropy(drawn, axis=1, base=2).mean() - true
    found = np.mean([grassberger_entropy(counts) for counts in drawn]) - true
    assert abs(found) < 0.15 * abs(plugin)
    assert found == pytest.approx(1 / (2 * n * math.log(2)), abs=0.006)


@pytest.mark.parametrize("n", [60, 400])
def test_border_tests_reject_true_hypotheses_as_often_as_they_say(n):
    rng, k = np.random.default_rng(n), 4
    rows = np.full(k, 1 / k)
    tables = rng.multinomial(n, np.outer(rows, rows).ravel(), 1500).reshape(-1, k, k)
    p = [border_p_values(table) for table in tables]
    for name in p[0]:
        rate = np.mean([values[name] < 0.035 for values in p])
        assert 0.02 <= rate <= 0.05, name


def test_independence_has_the_moments_of_all_tables_with_the_same_margins():
    y_true, y_pred = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 0, 1, 1, 0])
    n, values = len(y_true), []
    for order in itertools.permutations(range(n)):
        counts = np.zeros((3, 3))
        np.add.at(counts, (y_true, y_pred[list(order)]), 1)
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
        with np.errstate(invalid="ignore"):
            values.append(np.nansum((counts - expected) ** 2 / expected))
    mean, variance = np.mean(values), np.var(values)
    counts = np.zeros((3, 3))
    np.add.at(counts, (y_true, y_pred), 1)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    statistic = np.nansum(
        np.where(expected > 0, (counts - expected) ** 2 / np.maximum(expected, 1e-9), 0)
    )
    p = stats.chi2.sf(statistic * 2 * mean / variance, 2 * mean**2 / variance)
    assert border_p_values(counts)["independent"] == pytest.approx(p)
