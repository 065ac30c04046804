"""Effect of the criteria on a small linear problem with a known optimum."""

import numpy as np
import pytest
import torch
from torch import nn

from autrainer_ext.criterions import (
    FocalLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    WeightedCrossEntropyLoss,
    adjust_logits,
)

MAKE = {
    "plain": lambda: WeightedCrossEntropyLoss(None),
    "inverse": WeightedCrossEntropyLoss,
    "root": lambda: WeightedCrossEntropyLoss("square_root_inverse"),
    "effective": lambda: WeightedCrossEntropyLoss("effective_number"),
    "focal": FocalLoss,
    "focal-balanced": lambda: FocalLoss(weighting="effective_number"),
    "ldam": LDAMLoss,
    "ldam-small": lambda: LDAMLoss(scale=1.0),
    "softmax": LogitAdjustedLoss,
    "adjusted": lambda: LogitAdjustedLoss(tau=1.5),
}
MEANS = 1.5 * torch.tensor([[1.0, 0], [-0.5, 0.87], [-0.5, -0.87]])
EQUAL, TAIL = [400] * 3, [400, 100, 25]
STEPS = 60


def sample(counts, seed):
    """Three overlapping normal distributions in the plane."""
    rng = torch.Generator().manual_seed(seed)
    target = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    return MEANS[target] + torch.randn(len(target), 2, generator=rng), target


def logits_after_training(criterion, counts, seed=0):
    """Outputs of a trained linear classifier for 1,500 equally distributed test samples."""
    features, target = sample(counts, seed)
    criterion.set_counts(counts)
    torch.manual_seed(seed)
    model = nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        criterion(model(features), target).backward()
        optimizer.step()
    with torch.no_grad():
        return model(sample([500] * 3, seed + 1000)[0]).numpy()


TRUE = np.repeat(np.arange(3), 500)


def accuracy(logits):
    return np.mean(logits.argmax(axis=1) == TRUE)


def share_of_the_rarest(logits):
    return np.mean(logits.argmax(axis=1) == 2)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("seed", range(3))
def test_balanced_data_are_learnt_as_well_as_without_balancing(name, seed):
    """The best possible is 0.823; a standard error of the difference is below 0.01."""
    plain = accuracy(logits_after_training(MAKE["plain"](), EQUAL, seed))
    found = accuracy(logits_after_training(MAKE[name](), EQUAL, seed))
    assert found > plain - 0.02, f"seed {seed}: {found} against {plain}"


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("seed", range(3))
def test_unequal_data_are_learnt_above_chance(name, seed):
    # 10 standard errors of guessing
    chance = 1 / 3 + 10 * np.sqrt(2 / 9 / 1500)
    assert accuracy(logits_after_training(MAKE[name](), TAIL, seed)) > chance, f"seed {seed}"


@pytest.mark.parametrize("name", ["inverse", "root", "effective", "focal-balanced", "softmax"])
@pytest.mark.parametrize("seed", range(3))
def test_rare_class_is_predicted_more_often_than_without_balancing(name, seed):
    plain = share_of_the_rarest(logits_after_training(MAKE["plain"](), TAIL, seed))
    found = share_of_the_rarest(logits_after_training(MAKE[name](), TAIL, seed))
    assert plain < 0.25, "a third of the test samples are of this class"
    assert found > plain + 0.03, f"seed {seed}"


@pytest.mark.parametrize("seed", range(3))
def test_adjustment_in_training_and_afterwards_do_the_same(seed):
    afterwards = adjust_logits(logits_after_training(MAKE["plain"](), TAIL, seed), TAIL)
    in_training = logits_after_training(MAKE["softmax"](), TAIL, seed)
    assert accuracy(afterwards) == pytest.approx(accuracy(in_training), abs=0.02)
    assert share_of_the_rarest(afterwards) == pytest.approx(
        share_of_the_rarest(in_training), abs=0.04
    )
