"""Properties of every criterion for imbalanced classes."""

import copy
import inspect
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from autrainer_ext.criterions import (
    FocalLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    WeightedCrossEntropyLoss,
)
from autrainer_ext.criterions.balancing import class_counts

COUNTS = [40, 7, 2, 11]
TRAINER = SimpleNamespace(cfg=SimpleNamespace(iterations=10))


class ReweightedLDAM(LDAMLoss):
    """LDAM after re-weighting has begun."""

    def set_counts(self, counts):
        super().set_counts(counts)
        self.cb_on_iteration_begin(TRAINER, 10)


MAKE = {
    "inverse": WeightedCrossEntropyLoss,
    "root": lambda **k: WeightedCrossEntropyLoss("square_root_inverse", **k),
    "effective": lambda **k: WeightedCrossEntropyLoss("effective_number", beta=0.9, **k),
    "smooth": lambda **k: WeightedCrossEntropyLoss(label_smoothing=0.1, **k),
    "focal": FocalLoss,
    "focal-half": lambda **k: FocalLoss(gamma=0.5, label_smoothing=0.1, **k),
    "focal-balanced": lambda **k: FocalLoss(weighting="effective_number", **k),
    "ldam": lambda **k: LDAMLoss(scale=3.0, **k),
    "ldam-reweighted": lambda **k: ReweightedLDAM(reweight_after=0.8, scale=3.0, **k),
    "adjusted": lambda **k: LogitAdjustedLoss(tau=1.5, label_smoothing=0.1, **k),
    "softmax": LogitAdjustedLoss,
}
every = pytest.mark.parametrize("name", MAKE)


def make(name, counts=COUNTS, **kwargs):
    loss = MAKE[name](**kwargs)
    loss.set_counts(counts)
    return loss


def batch(size=6, dtype=torch.float64, seed=0):
    rng = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(size, len(COUNTS), generator=rng, dtype=torch.float64)
    return logits.to(dtype), torch.randint(len(COUNTS), (size,), generator=rng)


def shares(size=6, seed=1):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(size, len(COUNTS), generator=rng, dtype=torch.float64).softmax(dim=1)


@every
def test_reductions_fit_together(name):
    loss, (logits, target) = make(name), batch()
    weights = loss.weight[target]
    mean = loss(logits, target)
    loss.reduction = "sum"
    total = loss(logits, target)
    loss.reduction = "none"
    each = loss(logits, target)
    assert mean.shape == total.shape == ()
    assert each.shape == (6,)
    torch.testing.assert_close(total, each.sum())
    torch.testing.assert_close(mean, each.sum() / weights.sum())


@every
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_reduction_is_an_argument_too(name, reduction):
    loss, later = make(name, reduction=reduction), make(name)
    later.reduction = reduction
    torch.testing.assert_close(loss(*batch()), later(*batch()))


@every
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradients_are_right(name, reduction):
    loss, (logits, target) = make(name, reduction=reduction), batch()
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits)
    assert torch.autograd.gradcheck(lambda z: loss(z, shares()), logits)


@every
def test_shares_of_one_are_the_same_as_indices(name):
    loss, (logits, target) = make(name), batch()
    one_hot = torch.nn.functional.one_hot(target, len(COUNTS)).float()
    for reduction in ("none", "mean", "sum"):
        loss.reduction = reduction
        torch.testing.assert_close(loss(logits, one_hot), loss(logits, target))


@every
def test_batch_of_one(name):
    loss = make(name)
    logits, target = batch()
    loss.reduction = "none"
    each = loss(logits, target)
    torch.testing.assert_close(loss(logits[2:3], target[2:3]), each[2:3])
    loss.reduction = "mean"
    torch.testing.assert_close(loss(logits[2:3], target[2:3]), each[2] / loss.weight[target[2]])


@every
@pytest.mark.parametrize("is_mixed", [False, True])
def test_empty_batch_is_zero_with_a_gradient(name, is_mixed):
    loss = make(name)
    logits = torch.zeros(0, len(COUNTS), requires_grad=True)
    target = torch.zeros(0, len(COUNTS)) if is_mixed else torch.zeros(0, dtype=torch.long)
    value = loss(logits, target)
    assert value.item() == 0
    value.backward()
    assert logits.grad.shape == (0, len(COUNTS))
    loss.reduction = "none"
    assert loss(logits, target).shape == (0,)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_extreme_logits_stay_finite(name, dtype, reduction):
    loss = make(name, reduction=reduction)
    logits = 1e4 * torch.tensor([[1.0, -1, 1, -1], [-1, 1, 1, 1], [0, 0, 0, 1]])
    for target in (torch.tensor([0, 0, 3]), torch.tensor([1, 2, 0]), shares(3)):
        z = logits.to(dtype).requires_grad_()
        value = loss(z, target)
        assert value.isfinite().all()
        value.sum().backward()
        assert z.grad.isfinite().all()


@every
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-5)])
def test_fewer_bits_give_the_same_loss_in_float32(name, dtype, rtol):
    loss, (logits, target) = make(name), batch()
    logits = logits.to(torch.bfloat16)
    value = loss(logits.to(dtype), target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), loss(logits.double(), target), rtol=rtol, atol=0)


@every
def test_copy_is_independent(name):
    """The host copies the criterion for its trackers and sets a different reduction."""
    loss = make(name)
    duplicate = copy.deepcopy(loss).cpu()
    duplicate.reduction = "none"
    assert duplicate(*batch()).shape == (6,)
    assert loss(*batch()).shape == ()
    duplicate.set_counts([1, 1, 1, 1])
    assert loss.counts.tolist() == COUNTS


@every
def test_adding_a_constant_to_the_logits_changes_nothing(name):
    loss, (logits, target) = make(name), batch()
    torch.testing.assert_close(loss(logits + 5, target), loss(logits, target))


@every
def test_classes_may_come_in_any_order(name):
    order = torch.tensor([2, 0, 3, 1])
    logits, target = batch()
    shuffled = make(name, counts=np.array(COUNTS)[order])
    value = shuffled(logits[:, order], order.argsort()[target])
    torch.testing.assert_close(value, make(name)(logits, target))


@every
def test_arguments_are_left_alone(name):
    logits, target = batch()
    before = logits.clone(), target.clone()
    make(name)(logits, target)
    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])


@every
def test_unknown_counts_are_an_error(name):
    with pytest.raises(ValueError, match="has no class counts: call setup or set_counts first"):
        MAKE[name]()(*batch())


@every
def test_shapes_are_checked(name):
    loss, (logits, target) = make(name), batch()
    with pytest.raises(ValueError, match=r"expects logits of shape \(N, 4\), got \(6, 3\)"):
        loss(logits[:, :3], target)
    with pytest.raises(ValueError, match=r"indices of shape \(6,\) or shares of shape \(6, 4\)"):
        loss(logits, target[:5])


@every
def test_numbers_with_decimals_are_no_classes(name):
    logits, _ = batch(2)
    with pytest.raises(ValueError, match="class indices as integers, got torch.float32"):
        make(name)(logits, torch.tensor([1.7, 0.0]))


@every
def test_reduction_that_does_not_exist_is_an_error(name):
    with pytest.raises(ValueError, match="Unknown reduction 'max'. Choose from: none, mean, sum"):
        make(name, reduction="max")
    loss = make(name)
    loss.reduction = "median"
    with pytest.raises(ValueError, match="Unknown reduction 'median'"):
        loss(*batch())


@pytest.mark.parametrize("name", sorted(set(MAKE) - {"ldam", "ldam-reweighted"}))
@pytest.mark.parametrize("smoothing", [-0.1, 1.1])
def test_smoothing_out_of_range_is_an_error(name, smoothing):
    cls = type(MAKE[name]())
    with pytest.raises(ValueError, match=r"Argument 'label_smoothing' must be in \[0, 1\], got"):
        cls(label_smoothing=smoothing)


def test_margins_are_not_smoothed():
    assert "label_smoothing" not in inspect.signature(LDAMLoss).parameters


@pytest.mark.parametrize("cls", [WeightedCrossEntropyLoss, FocalLoss, LDAMLoss])
def test_unknown_weighting_is_an_error(cls):
    with pytest.raises(ValueError, match="Unknown weighting 'inverse'.*null, inverse_frequency"):
        cls(weighting="inverse")
    with pytest.raises(ValueError, match="'beta' requires the weighting 'effective_number', got"):
        cls(weighting="inverse_frequency", beta=0.9)
    with pytest.raises(ValueError, match=r"Argument 'beta' must be in \[0, 1\), got 1.0"):
        cls(weighting="effective_number", beta=1.0)


class Labels:
    """The part of the host's label encoder that the criteria use."""

    def __init__(self, labels):
        self.labels = labels

    def __call__(self, label):
        return self.labels.index(label)

    def decode(self, code):
        return self.labels[code]


def data(labels, train, column="scene"):
    return SimpleNamespace(
        target_column=column,
        target_transform=Labels(labels),
        df_train=pd.DataFrame({"scene": train}),
    )


def test_counts_are_in_the_order_of_the_encoded_labels():
    found = class_counts(data(["tram", "bus", "park"], ["bus", "tram", "park", "bus", "bus"]))
    assert found.tolist() == [1, 3, 1]


@every
def test_class_without_training_sample_is_named_at_setup(name):
    with pytest.raises(ValueError, match="Class 'park' has no training sample"):
        MAKE[name]().setup(data(["bus", "park", "tram"], ["bus", "tram", "bus"]))


def test_several_labels_per_sample_are_refused():
    several = data(["bus", "tram"], ["bus", "tram"], column=["bus", "tram"])
    with pytest.raises(ValueError, match="Class counts require one class per sample, not targets"):
        class_counts(several)
