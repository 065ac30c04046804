import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.adaptation.mix import (
    effective_classes,
    estimate_mix,
    mix_bias,
    mix_error,
    unevenness,
)


def sure(counts):
    return 50 * torch.eye(len(counts)).repeat_interleave(torch.tensor(counts), dim=0)


def test_sure_predictions_are_counted():
    mix = estimate_mix(sure([6, 3, 1]))
    torch.testing.assert_close(mix, (torch.tensor([6.0, 3, 1]) + 0.1) / 10.3)


def test_uncertain_predictions_do_not_move_an_even_mix():
    torch.testing.assert_close(estimate_mix(torch.zeros(20, 4)), torch.full((4,), 0.25))


def test_no_sample_gives_an_even_mix():
    torch.testing.assert_close(estimate_mix(torch.zeros(0, 4)), torch.full((4,), 0.25))


def test_estimate_maximises_the_posterior():
    """No grid point has a larger likelihood times Dirichlet(1.1) density."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(30, 2, generator=generator, dtype=torch.double) + torch.tensor([1, 0])
    p = (logits / 0.5).softmax(1).numpy()

    def posterior(share):
        mixed = p[:, 0] * share + p[:, 1] * (1 - share)
        return np.log(mixed).sum() + 0.1 * (np.log(share) + np.log(1 - share))

    grid = np.linspace(0.001, 0.999, 999)
    best = grid[np.argmax([posterior(share) for share in grid])]
    assert float(estimate_mix(logits)[0]) == pytest.approx(best, abs=2e-3)


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(4)), st.integers(0, 1000))
def test_classes_can_be_renumbered(order, seed):
    logits = 3 * torch.randn(12, 4, generator=torch.Generator().manual_seed(seed))
    mix = estimate_mix(logits)
    torch.testing.assert_close(estimate_mix(logits[:, order]), mix[list(order)], atol=1e-4, rtol=0)
    assert float(mix.sum()) == pytest.approx(1, abs=1e-5)
    assert 1 <= effective_classes(mix) <= 4 + 1e-4
    assert 0 <= unevenness(mix) <= 1.5


def test_known_mix_corrects_calibrated_predictions_as_bayes_does():
    """Likelihoods p(x | c) with another prior: softmax(logits + bias) is the exact posterior."""
    likelihood = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
    prior = torch.tensor([0.7, 0.2, 0.1])
    expected = likelihood * prior / (likelihood * prior).sum(1, keepdim=True)
    even = likelihood.log()
    torch.testing.assert_close((even + mix_bias(prior, 1.0)).softmax(1), expected)


def test_error_shrinks_with_the_root_of_the_samples():
    few, many = mix_error(sure([8, 8]), n_draws=200), mix_error(sure([128, 128]), n_draws=200)
    assert float(few[0] / many[0]) == pytest.approx(4, rel=0.25)
    assert float(many[0]) == pytest.approx(0.5 / 16, rel=0.25)


def test_temperature_is_positive():
    with pytest.raises(ValueError, match="Argument 'temperature' must be positive, got 0"):
        estimate_mix(torch.zeros(2, 2), temperature=0)
