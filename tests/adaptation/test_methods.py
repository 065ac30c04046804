import math

import pytest
import torch
from torch import nn

from autrainer_ext.adaptation.methods import EATA, BatchNormStatistics, Tent
from autrainer_ext.adaptation.ntta import NTTA

from .conftest import Stripes, stripes


def test_statistics_are_those_of_the_batch(model, data):
    features, _ = data
    logits = BatchNormStatistics(model).step(features[:32]).logits
    x = features[:32].double()
    for block in (model.stem, model.body):
        x = nn.functional.conv2d(x, block[0].weight.double(), block[0].bias.double(), 2, 1)
        mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
        x = (x - mean) / (var + 1e-5).sqrt() * block[1].weight.double()[:, None, None]
        x = (x + block[1].bias.double()[:, None, None]).relu()
    expected = x.mean((2, 3)) @ model.head.weight.double().T + model.head.bias.double()
    torch.testing.assert_close(logits.double(), expected, atol=1e-4, rtol=1e-4)


def test_tent_is_a_step_of_adam_down_the_entropy(model, data):
    features, _ = data
    weight = model.body[1].weight.detach().clone()
    reference = type(model)()
    reference.load_state_dict(model.state_dict())
    reference.eval()
    for block in (reference.stem, reference.body):
        block[1].train()
    p = reference(features[:32]).softmax(1)
    (-(p * p.log()).sum(1).mean()).backward()
    step = Tent(model, learning_rate=0.01).step(features[:32])
    assert step.terms["entropy"] == pytest.approx(-(p * p.log()).sum(1).mean().item(), rel=1e-5)
    torch.testing.assert_close(step.logits.softmax(1), p.detach())
    gradient = reference.body[1].weight.grad
    torch.testing.assert_close(
        model.body[1].weight.detach(), weight - 0.01 * gradient.sign(), atol=1e-5, rtol=1e-4
    )


def test_eata_weighs_sure_and_new_predictions_by_hand(model):
    eata = EATA(model, max_similarity=0.9)
    margin = 0.4 * math.log(3)
    rows = torch.tensor([[0.96, 0.02, 0.02], [0.02, 0.96, 0.02], [0.4, 0.3, 0.3]])
    h = -(rows * rows.log()).sum(1)
    first = eata.terms([rows.log()])["entropy"].item()
    expected = [math.exp(margin - h[i]) * h[i] for i in range(2)]
    assert first == pytest.approx(float(sum(expected)) / 2, rel=1e-5)
    average = rows[:2].mean(0)
    cosine = torch.cosine_similarity(average[None], rows[:2])
    assert (cosine < 0.9).all()
    eata._average = rows[0]  # the first row is nothing new now
    assert eata.terms([rows.log()])["entropy"].item() == pytest.approx(expected[1].item())
    torch.testing.assert_close(eata._average, 0.9 * rows[0] + 0.1 * rows[1])
    assert eata.terms([torch.zeros(4, 3)]) == {}


@pytest.mark.parametrize("norm", [lambda c: nn.GroupNorm(2, c), nn.Identity])
def test_models_without_batch_norm(norm):
    torch.manual_seed(0)
    model = Stripes(lambda c: norm(c) if norm is not nn.Identity else nn.Identity())
    with pytest.raises(ValueError, match=r"'batch_norm' replaces .* Stripes has none"):
        BatchNormStatistics(model)
    features, _ = stripes(8)
    if norm is nn.Identity:
        with pytest.raises(ValueError, match="no norm layers with scales and shifts"):
            Tent(model)
        assert NTTA(model, parameters="features", guard=False).step(features).event == "adapted"
    else:
        assert Tent(model).step(features).event == "adapted"


@pytest.mark.parametrize(("n_classes", "limit"), [(1000, 0.05), (10, 0.5), (2, 1.0)])
def test_eata_threshold_of_novelty_scales_with_the_number_of_classes(n_classes, limit):
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, n_classes))
    network.output_dim = n_classes
    assert EATA(network).max_similarity == pytest.approx(limit)
