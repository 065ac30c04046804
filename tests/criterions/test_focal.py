import math

import pytest
import torch
from torch.nn import functional as F

from autrainer_ext.criterions import FocalLoss, WeightedCrossEntropyLoss

COUNTS = [40, 7, 2, 11]


def make(counts=COUNTS, **kwargs):
    loss = FocalLoss(**kwargs)
    loss.set_counts(counts)
    return loss


def batch(seed):
    rng = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(9, 4, generator=rng, dtype=torch.float64)
    return logits, torch.randint(4, (9,), generator=rng)


def slow(row, y, weights, gamma, smoothing):
    """Focal loss of one sample, term by term."""
    total = sum(math.exp(z) for z in row)
    value = 0.0
    for c, z in enumerate(row):
        share = smoothing / len(row) + (1 - smoothing) * (c == y)
        p = math.exp(z) / total
        value -= share * weights[c] * (1 - p) ** gamma * math.log(p)
    return value


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_inverse_frequency_against_single_terms(seed, gamma, smoothing):
    logits, target = batch(seed)
    weights = [sum(COUNTS) / (len(COUNTS) * n) for n in COUNTS]
    loss = make(
        gamma=gamma, weighting="inverse_frequency", label_smoothing=smoothing, reduction="none"
    )
    rows = zip(logits.tolist(), target.tolist(), strict=True)
    each = [slow(row, y, weights, gamma, smoothing) for row, y in rows]
    assert loss(logits, target).tolist() == pytest.approx(each, rel=1e-10)
    loss.reduction = "mean"
    mean = sum(each) / sum(weights[y] for y in target.tolist())
    assert loss(logits, target).item() == pytest.approx(mean, rel=1e-10)


@pytest.mark.parametrize("weighting", [None, "inverse_frequency", "effective_number"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gamma_zero_is_cross_entropy(weighting, smoothing):
    kwargs = {"weighting": weighting, "label_smoothing": smoothing}
    plain = WeightedCrossEntropyLoss(**kwargs)
    plain.set_counts(COUNTS)
    torch.testing.assert_close(make(gamma=0.0, **kwargs)(*batch(0)), plain(*batch(0)))
    loss = make(gamma=0.0, label_smoothing=smoothing)
    expected = F.cross_entropy(*batch(0), label_smoothing=smoothing)
    torch.testing.assert_close(loss(*batch(0)), expected)


@pytest.mark.parametrize("weighting", ["inverse_frequency", "effective_number"])
def test_equal_counts_make_weights_vanish(weighting):
    balanced, plain = make([6] * 4, weighting=weighting), make([6] * 4)
    torch.testing.assert_close(balanced(*batch(1)), plain(*batch(1)))


def test_value_by_hand():
    """p_y = 3/4: (1/4)^2 log(4/3)."""
    logits = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)
    loss = make([5, 5])(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log(4 / 3) / 16, rel=1e-12)


def test_weights_stay_outside_of_the_exponent():
    """The weight is a factor of the loss: it is not (1 - exp(-w CE))^gamma w CE."""
    weighted, plain = make(weighting="inverse_frequency"), make()
    weighted.reduction = plain.reduction = "none"
    logits, target = batch(2)
    ratio = weighted(logits, target) / plain(logits, target)
    torch.testing.assert_close(ratio, weighted.weight[target])


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_sure_and_right_is_zero_and_without_gradient(gamma):
    logits = torch.tensor([[200.0, 0, 0, 0]], requires_grad=True)
    loss = make(gamma=gamma)(logits, torch.tensor([0]))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_small_misses_are_not_rounded_away():
    """1 - p of about 1e-9 in float32, where 1 - exp(log p) would be zero."""
    logits = torch.tensor([[math.log(1e9), 0.0]])
    value = make([5, 5], gamma=1.0)(logits, torch.tensor([0])).item()
    assert value == pytest.approx(1e-18, rel=1e-4)


@pytest.mark.parametrize("gamma", [-1.0, math.nan])
def test_negative_gamma_is_rejected(gamma):
    with pytest.raises(ValueError, match="Argument 'gamma' must be at least 0, got"):
        FocalLoss(gamma)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_excluded_class_changes_nothing_for_the_others(gamma):
    logits = torch.tensor([[1.0, 0.5, -math.inf, 0.0]], requires_grad=True)
    loss = make(gamma=gamma)(logits, torch.tensor([1]))
    without = FocalLoss(gamma=gamma)
    without.set_counts([1, 1, 1])
    assert loss.item() == pytest.approx(
        without(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([1])).item()
    )
    loss.backward()
    assert logits.grad.isfinite().all()
    assert make(gamma=gamma)(logits, torch.tensor([2])).item() == math.inf
