import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from autrainer_ext.criterions import LogitAdjustedLoss, adjust_logits

COUNTS = [40, 7, 2, 11]


def make(counts=COUNTS, **kwargs):
    loss = LogitAdjustedLoss(**kwargs)
    loss.set_counts(counts)
    return loss


def batch(seed):
    rng = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(9, 4, generator=rng, dtype=torch.float64)
    return logits, torch.randint(4, (9,), generator=rng)


def slow(row, y, tau, smoothing):
    """Loss of one sample from -log(n_y^tau e^z_y / sum n_c^tau e^z_c), term by term."""
    each = [n**tau * math.exp(z) for n, z in zip(COUNTS, row, strict=True)]
    value = 0.0
    for c, e in enumerate(each):
        share = smoothing / len(row) + (1 - smoothing) * (c == y)
        value -= share * math.log(e / sum(each))
    return value


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_against_single_terms(seed, tau, smoothing):
    logits, target = batch(seed)
    loss = make(tau=tau, label_smoothing=smoothing, reduction="none")
    rows = zip(logits.tolist(), target.tolist(), strict=True)
    each = [slow(row, y, tau, smoothing) for row, y in rows]
    assert loss(logits, target).tolist() == pytest.approx(each, rel=1e-10)
    loss.reduction = "mean"
    assert loss(logits, target).item() == pytest.approx(sum(each) / 9, rel=1e-10)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_tau_zero_is_cross_entropy(reduction):
    loss = make(tau=0.0, reduction=reduction)
    torch.testing.assert_close(loss(*batch(0)), F.cross_entropy(*batch(0), reduction=reduction))


@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
def test_equal_counts_make_it_cross_entropy(tau):
    torch.testing.assert_close(make([6] * 4, tau=tau)(*batch(1)), F.cross_entropy(*batch(1)))


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_minimum_is_the_posterior_under_tempered_priors(tau):
    """In training p(y | x) ~ n_y p(x | y); learnt is softmax(z) ~ n_y^(1 - tau) p(x | y).

    So balanced softmax, tau = 1, learns the posterior under equal priors. The expected loss is
    convex: a zero gradient is its minimum.
    """
    likelihood = torch.tensor([0.1, 0.3, 0.4, 0.2], dtype=torch.float64)
    counts = torch.tensor(COUNTS, dtype=torch.float64)
    posterior = counts * likelihood / (counts * likelihood).sum()
    logits = (counts ** (1 - tau) * likelihood).log()[None].requires_grad_()
    make(tau=tau)(logits, posterior[None]).backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits))


def test_post_hoc_adjustment_finds_the_same_posterior():
    """Cross-entropy learns p(y | x); taking the priors out leaves p(x | y)."""
    likelihood = np.array([0.1, 0.3, 0.4, 0.2])
    joint = np.array(COUNTS) * likelihood
    adjusted = np.exp(adjust_logits(np.log(joint / joint.sum()), COUNTS))
    np.testing.assert_allclose(adjusted / adjusted.sum(), likelihood, rtol=1e-12)


def test_post_hoc_undoes_the_shift_of_training():
    logits, target = batch(2)
    for tau in (0.0, 0.7, 2.0):
        undone = torch.as_tensor(adjust_logits(logits.numpy(), COUNTS, tau=tau))
        torch.testing.assert_close(make(tau=tau)(undone, target), F.cross_entropy(logits, target))


def test_post_hoc_by_hand():
    found = adjust_logits(np.zeros((2, 2)), [3, 1])
    np.testing.assert_allclose(found, [[math.log(4 / 3), math.log(4)]] * 2, rtol=1e-14)


def test_post_hoc_moves_predictions_to_rare_classes_only():
    rng = np.random.default_rng(0)
    counts = np.array(COUNTS)
    logits = rng.normal(size=(500, 4))
    before, after = logits.argmax(1), adjust_logits(logits, counts).argmax(1)
    moved = before != after
    assert moved.any()
    assert (counts[after[moved]] < counts[before[moved]]).all()


def test_post_hoc_keeps_what_it_is_given():
    logits = np.random.default_rng(1).normal(size=(3, 5, 4))
    before = logits.copy()
    assert adjust_logits(logits, COUNTS).shape == (3, 5, 4)
    np.testing.assert_array_equal(logits, before)
    np.testing.assert_allclose(adjust_logits(logits, COUNTS, tau=0), logits)
    np.testing.assert_allclose(adjust_logits(logits, [5] * 4).argmax(-1), logits.argmax(-1))


@pytest.mark.parametrize(("shape", "counts"), [((2, 3), COUNTS), ((), [4])])
def test_post_hoc_needs_all_classes(shape, counts):
    with pytest.raises(
        ValueError, match=r"Argument 'logits' must have the shape \(\.\.\., .\), got"
    ):
        adjust_logits(np.zeros(shape), counts)


def test_post_hoc_rejects_empty_classes():
    with pytest.raises(ValueError, match="Every class needs a training sample"):
        adjust_logits(np.zeros((1, 2)), [3, 0])


@pytest.mark.parametrize("tau", [-1.0, math.inf, math.nan])
def test_tau_out_of_range_is_rejected(tau):
    with pytest.raises(ValueError, match="Argument 'tau' must be at least 0 and finite, got"):
        LogitAdjustedLoss(tau)
