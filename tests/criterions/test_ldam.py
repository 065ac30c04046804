import copy
import math
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from autrainer_ext.criterions import LDAMLoss
from autrainer_ext.criterions.class_weights import effective_number

COUNTS = [40, 7, 2, 11]


def make(counts=COUNTS, **kwargs):
    loss = LDAMLoss(**kwargs)
    loss.set_counts(counts)
    return loss


def begin(loss, iteration, iterations=10):
    """Call the callback as the host does when an iteration begins."""
    loss.cb_on_iteration_begin(
        SimpleNamespace(cfg=SimpleNamespace(iterations=iterations)), iteration
    )


def batch(seed):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(9, 4, generator=rng, dtype=torch.float64), torch.randint(
        4, (9,), generator=rng
    )


def slow(row, y, max_margin, scale):
    """LDAM loss of one sample, term by term."""
    margin = max_margin * COUNTS[y] ** -0.25 / max(n**-0.25 for n in COUNTS)
    z = [scale * (value - margin * (c == y)) for c, value in enumerate(row)]
    return -math.log(math.exp(z[y]) / sum(math.exp(value) for value in z))


@pytest.mark.parametrize(("max_margin", "scale"), [(0.5, 30.0), (1.5, 1.0), (0.2, 4.0)])
@pytest.mark.parametrize("seed", range(3))
def test_against_single_terms(seed, max_margin, scale):
    logits, target = batch(seed)
    loss = make(max_margin=max_margin, scale=scale, reduction="none")
    rows = zip(logits.tolist(), target.tolist(), strict=True)
    each = [slow(row, y, max_margin, scale) for row, y in rows]
    assert loss(logits, target).tolist() == pytest.approx(each, rel=1e-10, abs=1e-12)
    loss.reduction = "mean"
    assert loss(logits, target).item() == pytest.approx(sum(each) / 9, rel=1e-10)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_no_margin_is_scaled_cross_entropy(scale):
    logits, target = batch(0)
    loss = make(max_margin=0.0, scale=scale)
    torch.testing.assert_close(loss(logits, target), F.cross_entropy(scale * logits, target))


def test_equal_counts_have_equal_margins():
    logits, target = batch(1)
    loss = make([6] * 4, max_margin=0.7, scale=2.0)
    shifted = logits - 0.7 * F.one_hot(target, 4)
    torch.testing.assert_close(loss(logits, target), F.cross_entropy(2 * shifted, target))


def test_mixed_samples_have_margins_of_both_classes():
    logits, _ = batch(2)
    target = torch.tensor([[0.25, 0, 0.75, 0]], dtype=torch.float64).expand(9, 4)
    margins = 0.5 * torch.tensor([(2 / 40) ** 0.25, 0, 1, 0], dtype=torch.float64)
    expected = F.cross_entropy(logits - target * margins, target)
    torch.testing.assert_close(make(scale=1.0)(logits, target), expected)


def weights_over(iterations, **kwargs):
    loss = make(**kwargs)
    changed = []
    for iteration in range(1, iterations + 1):
        begin(loss, iteration, iterations)
        changed.append(not torch.equal(loss.weight, torch.ones(4, dtype=torch.float64)))
    return changed


@pytest.mark.parametrize(
    ("share", "iterations", "first"),
    [(0.8, 200, 161), (0.8, 10, 9), (0.5, 5, 3), (0.0, 4, 1), (0.29, 100, 30)],
)
def test_weights_begin_after_their_share_of_the_iterations(share, iterations, first):
    expected = [iteration >= first for iteration in range(1, iterations + 1)]
    assert weights_over(iterations, reweight_after=share) == expected


def test_without_a_share_there_are_no_weights():
    assert not any(weights_over(20))


def test_state_depends_on_the_iteration_alone():
    """As after interrupted or continued training, or a repeated iteration."""
    loss, fresh = make(reweight_after=0.5), make(reweight_after=0.5)
    for iteration in (1, 9, 9, 2, 10, 7):
        begin(loss, iteration)
    begin(fresh, 7)
    torch.testing.assert_close(loss(*batch(3)), fresh(*batch(3)), rtol=0, atol=0)
    begin(loss, 3)
    torch.testing.assert_close(loss(*batch(3)), make()(*batch(3)), rtol=0, atol=0)


@pytest.mark.parametrize("beta", [None, 0.9])
def test_second_phase_weighs_by_the_effective_number(beta):
    loss, plain = make(reweight_after=0.8, beta=beta), make()
    begin(loss, 9)
    weight = torch.as_tensor(effective_number(COUNTS, beta=beta))
    loss.reduction = plain.reduction = "none"
    logits, target = batch(4)
    each = plain(logits, target) * weight[target]
    torch.testing.assert_close(loss(logits, target), each)
    loss.reduction = "mean"
    torch.testing.assert_close(loss(logits, target), each.sum() / weight[target].sum())


def test_copy_of_the_tracker_keeps_the_first_phase():
    loss = make(reweight_after=0.8, reduction="none")
    duplicate = copy.deepcopy(loss)
    before = duplicate(*batch(5))
    begin(loss, 10)
    torch.testing.assert_close(duplicate(*batch(5)), before)
    assert not torch.equal(loss(*batch(5)), before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_margin": -0.5}, "Argument 'max_margin' must be at least 0, got -0.5"),
        ({"scale": 0.0}, "Argument 'scale' must be greater than 0, got 0.0"),
        ({"reweight_after": 1.0}, r"Argument 'reweight_after' must be in \[0, 1\), got 1.0"),
        ({"reweight_after": -0.1}, r"Argument 'reweight_after' must be in \[0, 1\), got -0.1"),
    ],
)
def test_settings_out_of_range_are_rejected(settings, message):
    with pytest.raises(ValueError, match=message):
        LDAMLoss(**settings)


@pytest.mark.parametrize("mixed", [False, True])
def test_logits_at_the_limit_of_the_type_do_not_overflow(mixed):
    logits = torch.tensor([[3e37, 2.9e37, 0.0, -3e37]], requires_grad=True)
    target = torch.tensor([0])
    value = make(scale=30.0)(logits, F.one_hot(target, 4).float() if mixed else target)
    assert value.item() == 0
    value.backward()
    assert logits.grad.isfinite().all()
    assert make(scale=30.0)(logits, torch.tensor([3])).item() > 1e38
