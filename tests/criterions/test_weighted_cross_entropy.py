import math

import pytest
import torch
from torch.nn import functional as F

from autrainer_ext.criterions import WeightedCrossEntropyLoss

COUNTS = [40, 7, 2, 11]


def make(counts=COUNTS, **kwargs):
    loss = WeightedCrossEntropyLoss(**kwargs)
    loss.set_counts(counts)
    return loss


def batch(seed):
    rng = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(9, 4, generator=rng, dtype=torch.float64)
    return logits, torch.randint(4, (9,), generator=rng)


def slow(row, y, weights, smoothing):
    """Smoothed, weighted cross-entropy of one sample, term by term."""
    total = sum(math.exp(z) for z in row)
    value = 0.0
    for c, z in enumerate(row):
        share = smoothing / len(row) + (1 - smoothing) * (c == y)
        value -= share * weights[c] * math.log(math.exp(z) / total)
    return value


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(5))
def test_inverse_frequency_against_single_terms(seed, smoothing):
    logits, target = batch(seed)
    weights = [sum(COUNTS) / (len(COUNTS) * n) for n in COUNTS]
    rows = zip(logits.tolist(), target.tolist(), strict=True)
    each = [slow(row, y, weights, smoothing) for row, y in rows]
    mean = sum(each) / sum(weights[y] for y in target.tolist())
    loss = make(label_smoothing=smoothing)
    assert loss(logits, target).item() == pytest.approx(mean, rel=1e-12)
    loss.reduction = "none"
    assert loss(logits, target).tolist() == pytest.approx(each, rel=1e-12)


@pytest.mark.parametrize("weighting", ["inverse_frequency", "square_root_inverse", None])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_same_as_torch_with_its_weights(weighting, reduction, smoothing):
    loss = make(weighting=weighting, reduction=reduction, label_smoothing=smoothing)
    expected = F.cross_entropy(
        *batch(0), weight=loss.weight, reduction=reduction, label_smoothing=smoothing
    )
    torch.testing.assert_close(loss(*batch(0)), expected)


@pytest.mark.parametrize(
    "weighting", ["inverse_frequency", "square_root_inverse", "effective_number", None]
)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_equal_counts_make_it_cross_entropy(weighting, reduction):
    loss = make([6] * 4, weighting=weighting, reduction=reduction)
    torch.testing.assert_close(loss(*batch(1)), F.cross_entropy(*batch(1), reduction=reduction))


@pytest.mark.parametrize("seed", range(5))
def test_mixed_samples_weigh_as_their_classes_do(seed):
    logits, first = batch(seed)
    _, second = batch(seed + 100)
    one_hot = torch.eye(4, dtype=torch.float64)
    loss = make(reduction="none")
    mixed = loss(logits, 0.3 * one_hot[first] + 0.7 * one_hot[second])
    torch.testing.assert_close(mixed, 0.3 * loss(logits, first) + 0.7 * loss(logits, second))


def test_best_constant_prediction_is_uniform():
    """Without features, the weights cancel the priors at the minimum of the loss."""
    target = torch.repeat_interleave(torch.arange(4), torch.tensor(COUNTS))
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    loss = make()(logits.expand(len(target), 4), target)
    loss.backward()
    torch.testing.assert_close(logits.grad, torch.zeros(4, dtype=torch.float64))


def test_same_mean_as_the_weights_of_the_host():
    weight = 1 / torch.tensor(COUNTS, dtype=torch.float64)
    expected = F.cross_entropy(*batch(2), weight=weight / weight.sum())
    torch.testing.assert_close(make()(*batch(2)), expected)
