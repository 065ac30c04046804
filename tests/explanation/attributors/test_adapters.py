import math

import pytest
import torch
from torch import nn

from autrainer_ext.explanation.attributors import completeness_gap, lime
from autrainer_ext.explanation.attributors.adapters import (
    deep_shap,
    gradient_shap_library,
    lime_image,
)
from autrainer_ext.explanation.segments import grid

SILENCE = -2.0
ADAPTERS = {
    "deep_shap": deep_shap,
    "gradient_shap_library": gradient_shap_library,
    "lime_image": lambda *a, **o: lime_image(*a, segmenter=grid, n_samples=100, **o),
}


class ResponseNorm(nn.Module):
    def forward(self, x):
        energy = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
        return x + x * energy / (energy.mean(dim=1, keepdim=True) + 1e-6)


def network(*middle):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), *middle, nn.Flatten(), nn.LazyLinear(3)
    )


@pytest.fixture
def clips():
    features = torch.randn(3, 1, 8, 10, generator=torch.Generator().manual_seed(1))
    return features, torch.tensor([0, 2, 1])


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(80, 3))


def contributions(model, features, target):
    weights = model[1].weight.detach()[target].view_as(features)
    return weights * (features - SILENCE)


@pytest.mark.parametrize("name", ["deep_shap", "gradient_shap_library"])
def test_contributions_of_a_linear_model_are_weight_times_distance(clips, name):
    model = linear()
    found = ADAPTERS[name](model, *clips, baseline=SILENCE)
    torch.testing.assert_close(found, contributions(model, *clips), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ADAPTERS)
def test_equal_input_gives_equal_maps_in_any_batch(clips, name):
    features, target = clips
    model = network()
    model(features)
    model.train()
    together = ADAPTERS[name](model, features, target, baseline=SILENCE)
    assert model.training
    assert together.shape == features.shape
    alone = ADAPTERS[name](model, features[2:], target[2:], baseline=SILENCE)
    torch.testing.assert_close(together[2:], alone, atol=1e-5, rtol=0)


def test_values_of_plain_networks_add_up(clips):
    features, target = clips
    several = torch.randn(4, 1, 8, 10, generator=torch.Generator().manual_seed(2))
    model = network(nn.AvgPool2d(2))
    model(features)
    found = deep_shap(model, features, target, baseline=several)
    gap = completeness_gap(model, features, target, found, baseline=several)
    assert gap.abs().max() < 1e-5


def test_values_that_do_not_add_up_are_refused(clips):
    features, target = clips
    model = network(ResponseNorm())
    model(features)
    with pytest.raises(ValueError, match="add up to .* instead of .* does not support a layer"):
        deep_shap(model, features, target, baseline=SILENCE)
    found = deep_shap(model, features, target, baseline=SILENCE, tolerance=math.inf)
    gap = completeness_gap(model, features, target, found, baseline=SILENCE)
    assert gap.abs().max() > 0.01


def test_our_lime_is_that_of_lime(clips):
    features, target = clips
    model = network()
    model(features)
    settings = {"segmenter": grid, "baseline": SILENCE, "n_samples": 2000}
    ours = lime(model, features, target, **settings)
    theirs = lime_image(model, features, target, **settings)
    torch.testing.assert_close(ours, theirs, atol=0.1 * float(theirs.abs().max()), rtol=0)
    pairs = torch.stack([ours.flatten(), theirs.flatten()])
    assert torch.corrcoef(pairs)[0, 1] > 0.99


def test_lime_images_have_one_channel():
    with pytest.raises(ValueError, match="needs 1 channel, got 2"):
        lime_image(nn.Flatten(), torch.zeros(1, 2, 4, 4), torch.tensor([0]))
