import pytest
import torch
from torch import nn

from autrainer_ext.explanation.attributors import (
    completeness_gap,
    grad_cam,
    gradient_shap,
    input_x_gradient,
    integrated_gradients,
    kernel_shap,
    lime,
    occlusion,
    permuted,
    random,
    saliency,
    smooth_grad,
)
from autrainer_ext.explanation.segments import grid

SILENCE = -2.0


def four_cells(features):
    return grid(features, n_slices=2, n_bands=2)


METHODS = {
    "saliency": saliency,
    "input_x_gradient": lambda *a: input_x_gradient(*a, baseline=SILENCE),
    "smooth_grad": lambda *a: smooth_grad(*a, n_samples=4),
    "integrated_gradients": lambda *a: integrated_gradients(*a, baseline=SILENCE),
    "gradient_shap": lambda *a: gradient_shap(*a, baseline=SILENCE),
    "grad_cam": lambda *a: grad_cam(*a, layer="0"),
    "lime": lambda *a: lime(*a, baseline=SILENCE, segmenter=four_cells, n_samples=32),
    "kernel_shap": lambda *a: kernel_shap(*a, baseline=SILENCE, n_samples=64),
    "occlusion": lambda *a: occlusion(*a, baseline=SILENCE, segmenter=four_cells),
    "random": random,
    "permuted": permuted(saliency),
}


@pytest.mark.parametrize("name", METHODS)
def test_batch_changes_nothing(network, clips, name):
    features, target = clips
    together = METHODS[name](network, features, target)
    alone = [METHODS[name](network, features[i : i + 1], target[i : i + 1]) for i in range(5)]
    assert together.shape == features.shape
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", METHODS)
def test_same_input_gives_same_result_and_leaves_no_trace(network, clips, name):
    features, target = clips
    network.train()
    network[1].eval()
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    before, seed = features.clone(), torch.random.get_rng_state()
    first = METHODS[name](network, features, target)
    assert torch.equal(METHODS[name](network, features, target), first)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())
    assert torch.equal(features, before)
    assert not features.requires_grad
    assert not first.requires_grad
    assert torch.equal(torch.random.get_rng_state(), seed)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("name", [name for name in METHODS if name != "random"])
def test_modes_come_back_after_a_failure(name):
    class Broken(nn.Sequential):
        def forward(self, features):
            raise RuntimeError("broken")

    model = Broken(nn.Conv2d(1, 2, 1)).train()
    with pytest.raises(RuntimeError, match="broken"):
        METHODS[name](model, torch.zeros(1, 1, 4, 4), torch.tensor([0]))
    assert model.training


@pytest.mark.parametrize("name", METHODS)
def test_inference_mode_and_empty_batch_are_fine(network, clips, name):
    features, target = clips
    with torch.inference_mode():
        inside = METHODS[name](network, features.clone(), target)
    torch.testing.assert_close(inside, METHODS[name](network, features, target))
    assert METHODS[name](network, features[:0], target[:0]).shape == (0, 1, 12, 16)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("features", "target", "message"),
    [
        (torch.zeros(1, 4, 4), torch.zeros(1).long(), "shape"),
        (torch.zeros(2, 1, 4, 4), torch.zeros(1).long(), "each of the 2 samples"),
        (torch.zeros(1, 1, 4, 4), torch.zeros(1), "int64"),
        (torch.zeros(1, 1, 4, 4), torch.tensor([-1]), "must not be negative, got -1"),
    ],
)
def test_wrong_input_is_named(network, name, features, target, message):
    with pytest.raises(ValueError, match=message):
        METHODS[name](network, features, target)


@pytest.mark.parametrize("name", ["integrated_gradients", "kernel_shap"])
def test_complete_methods_have_no_gap(network, clips, name):
    features, target = clips
    found = METHODS[name](network, features, target)
    gap = completeness_gap(network, features, target, found, baseline=SILENCE)
    assert gap.shape == (5,)
    assert gap.abs().max() < (0.05 if name == "integrated_gradients" else 1e-5)


def test_gap_is_what_is_missing(network, clips):
    features, target = clips
    zeros = torch.zeros_like(features)
    gap = completeness_gap(network, features, target, zeros, baseline=SILENCE)
    silence = torch.full_like(features, SILENCE)
    with torch.no_grad():
        difference = network(features) - network(silence)
    expected = -difference[torch.arange(5), target].double()
    # logits in single precision
    torch.testing.assert_close(gap, expected, atol=1e-6, rtol=1e-5)


def test_gap_of_several_baselines_is_taken_to_their_mean_score(network, clips):
    features, target = clips
    zeros = torch.zeros_like(features)
    several = features[1:4]
    with torch.no_grad():
        expected = -(network(features) - network(several).mean(0))[torch.arange(5), target]
    gap = completeness_gap(network, features, target, zeros, baseline=several)
    torch.testing.assert_close(gap, expected.double())


def test_wrong_baseline_is_named(network, clips):
    with pytest.raises(ValueError, match=r"shape \(1, 12, 16\) of one sample, got \(3, 3\)"):
        integrated_gradients(network, *clips, baseline=torch.zeros(3, 3))
