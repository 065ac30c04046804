import pytest
import torch
from torch import nn

from autrainer_ext.adaptation.parameters import (
    Snapshot,
    batch_norms,
    check_adaptable,
    classifier_parameters,
    select_parameters,
)
from autrainer_ext.models import CPMobile


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CPMobile(4, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]]).eval()


def names(selected):
    return set(selected)


def test_norm_selects_scales_and_shifts_of_every_norm_layer(model):
    expected = {f"{name}.{kind}" for name in batch_norms(model) for kind in ("weight", "bias")}
    assert names(select_parameters(model, "norm", 4)) == expected
    assert len(expected) == 2 * 9
    mixed = nn.Sequential(nn.Conv1d(1, 4, 3), nn.GroupNorm(2, 4), nn.LayerNorm(8), nn.Linear(8, 2))
    assert names(select_parameters(mixed, "norm", 2)) == {
        "1.weight", "1.bias", "2.weight", "2.bias"
    }  # fmt: skip


def test_features_are_all_but_the_head(model):
    head = {"head.0.weight", "head.1.weight", "head.1.bias"}
    every = {name for name, _ in model.named_parameters()}
    assert set(classifier_parameters(model, 4)) == head
    assert names(select_parameters(model, "features", 4)) == every - head
    assert names(select_parameters(model, "all", 4)) == every


def test_classifier_is_the_last_weight_with_a_row_per_class():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU())
    assert classifier_parameters(model, 4) == ["1.weight", "1.bias"]
    assert classifier_parameters(model, 7) == []


def test_frozen_parameters_stay_out(model):
    model.stem.requires_grad_(False)
    assert not [n for n in select_parameters(model, "all", 4) if n.startswith("stem")]


def test_networks_that_cannot_adapt_are_refused(model):
    plain = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="no norm layers with scales and shifts"):
        select_parameters(plain, "norm", 2)
    with pytest.raises(ValueError, match="no features that can be adapted"):
        select_parameters(nn.Linear(4, 2), "features", 2)
    with pytest.raises(ValueError, match="Unknown selection of parameters 'head'"):
        select_parameters(plain, "head", 2)
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="All parameters of the network are frozen"):
        check_adaptable(model)


@pytest.mark.skipif("x86" not in torch.backends.quantized.supported_engines, reason="no engine")
def test_quantised_networks_are_refused():
    quantised = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4)))
    with pytest.raises(ValueError, match="The network is quantised"):
        check_adaptable(quantised)


def test_snapshot_restores_everything_bit_for_bit(model):
    model.register_buffer("unsaved", torch.tensor([0.1, float("nan")]), persistent=False)
    model.stem.requires_grad_(False)
    before = {n: t.clone() for n, t in [*model.named_parameters(), *model.named_buffers()]}
    snapshot = Snapshot(model)
    model.train()
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(3):
        model(torch.randn(4, 1, 32, 64)).square().sum().backward()
        optimizer.step()
    model.unsaved.zero_()
    moved = dict([*model.named_parameters(), *model.named_buffers()])
    assert not any(torch.equal(moved[n], t) for n, t in before.items() if n != "unsaved")
    places = {n: t.data_ptr() for n, t in moved.items()}

    snapshot.restore()
    after = dict([*model.named_parameters(), *model.named_buffers()])
    for name, tensor in before.items():
        assert torch.equal(
            tensor.view(-1).view(torch.uint8), after[name].detach().view(-1).view(torch.uint8)
        ), name
        assert after[name].data_ptr() == places[name]
    assert not any(module.training for module in model.modules())
    assert not any(p.requires_grad for p in model.stem.parameters())
    assert all(p.grad is None for p in model.parameters())
