import math

import torch

from autrainer_ext.adaptation.sar import SAR

from .conftest import same_bits, state, stripes


def test_sar_climbs_before_it_descends(model, data):
    sar = SAR(model, learning_rate=0.01, radius=0.05)
    sar._optimizer = torch.optim.SGD(sar.learning, lr=1.0)
    before = [p.detach().clone() for p in sar.learning]
    with sar._running(32):
        loss = sar.terms([model(data[0][:32])])["entropy"]
        g = torch.autograd.grad(loss, sar.learning)
        norm = math.sqrt(sum(x.square().sum().item() for x in g))
        with torch.no_grad():
            for p, x in zip(sar.learning, g, strict=True):
                p += 0.05 * x / norm
        worst = torch.autograd.grad(sar.terms([model(data[0][:32])])["entropy"], sar.learning)
        with torch.no_grad():
            for p, x in zip(sar.learning, before, strict=True):
                p.copy_(x)
    sar.reset()
    sar._optimizer = torch.optim.SGD(sar.learning, lr=1.0)
    assert sar.step(data[0][:32]).event == "adapted"
    for p, old, x in zip(sar.learning, before, worst, strict=True):
        torch.testing.assert_close(p.detach(), old - x, atol=1e-6, rtol=1e-4)


def test_sar_resets_when_it_is_too_sure(model):
    with torch.no_grad():
        model.head.weight *= 50
    before = state(model)
    assert SAR(model, learning_rate=0.01).step(stripes(32, seed=3)[0]).event == "reset"
    assert same_bits(before, state(model))


def test_sar_thresholds_scale_with_the_number_of_classes(model):
    assert SAR(model).reset_below == 0.2 * math.log(3) / math.log(1000)


def test_sar_second_selection_lies_within_the_first(model):
    """A sample that becomes confident uphill only does not count."""
    sar = SAR(model)
    sar.terms([torch.tensor([[9.0, 0, 0], [0.1, 0, 0]])])
    both = torch.tensor([[9.0, 0, 0], [9.0, 0, 0]])
    counts = sar._confident & sar._is_confident(both)
    assert counts.tolist() == [True, False]
