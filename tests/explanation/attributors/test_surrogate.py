import itertools

import pytest
import torch

from autrainer_ext.explanation.attributors import surrogate
from autrainer_ext.explanation.attributors.surrogate import fit, signs_of

N = 5


def drawn(n_pairs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    signs = (torch.rand(n_pairs, N, generator=generator) < 0.5).double() * 2 - 1
    return signs, torch.randn(n_pairs, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("is_odd", [True, False])
def test_residuals_are_those_of_fits_without_the_pair(is_odd):
    signs, halves = drawn(12)
    _, residuals = fit(signs, halves, is_odd=is_odd)
    for i in range(12):
        others = torch.arange(12) != i
        without, _ = fit(signs[others], halves[others], is_odd=is_odd)
        assert float(halves[i] - without(signs[i : i + 1])) == pytest.approx(float(residuals[i]))


def test_residuals_beyond_the_pairs_of_the_fit_are_those_of_its_predictions(monkeypatch):
    monkeypatch.setattr(surrogate, "_MOST_PAIRS", 8)
    signs, halves = drawn(12)
    found, residuals = fit(signs, halves, is_odd=True)
    assert len(found.signs) == 8
    torch.testing.assert_close(residuals[8:], halves[8:] - found(signs[8:]))


def test_shapley_values_are_those_of_all_orders():
    found, _ = fit(*drawn(9), is_odd=True)

    def value(players):
        signs = -torch.ones(1, N).double()
        signs[0, list(players)] = 1
        return float(found(signs))

    expected = torch.zeros(N).double()
    orders = list(itertools.permutations(range(N)))
    for order in orders:
        for i, player in enumerate(order):
            expected[player] += value(order[: i + 1]) - value(order[:i])
    torch.testing.assert_close(found.shapley_values(), expected / len(orders))


@pytest.mark.parametrize(("is_odd", "sign"), [(True, -1), (False, 1)])
def test_fits_are_odd_or_even(is_odd, sign):
    signs, halves = drawn(12)
    found, _ = fit(signs, halves, is_odd=is_odd)
    torch.testing.assert_close(found(-signs), sign * found(signs))


def test_an_exact_first_half_is_met():
    signs, halves = drawn(12)
    found, _ = fit(signs, halves, is_odd=True, first_is_exact=True)
    assert float(found(signs[:1])) == pytest.approx(float(halves[0]), abs=1e-6)


def test_signs_are_those_of_the_first_of_each_pair():
    kept = torch.tensor([[1, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1]])
    assert signs_of(kept).tolist() == [[1, -1, -1], [1, 1, -1]]
