import pytest
import torch
from torch import nn

from autrainer_ext.explanation.attributors.registry import (
    EXPLAINERS,
    floor_of,
    is_complete,
    make_explainer,
    with_floors,
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).eval()


QUICK = [name for name in EXPLAINERS if name != "lime_image"]  # a thousand images


@pytest.mark.parametrize("name", [*QUICK, "lime-onsets", "random-grid", "permuted-saliency"])
def test_every_name_is_an_attributor(network, name):
    features = torch.randn(1, 1, 8, 10, generator=torch.Generator().manual_seed(0))
    explain = make_explainer(name, baseline=-2.0, seed=3, layer="0")
    maps = explain(network, features, torch.tensor([1]))
    assert maps.shape == features.shape
    assert torch.equal(explain(network, features, torch.tensor([1])), maps)


@pytest.mark.parametrize("name", ["magic", "saliency-grid", "lime-cells", "permuted-magic"])
def test_unknown_names_are_told(name):
    with pytest.raises(ValueError, match=f"Unknown explainer '{name.removeprefix('permuted-')}'"):
        make_explainer(name, baseline=0.0)


def test_floors_have_the_segments_of_their_explainer():
    assert floor_of("saliency") == "random"
    assert floor_of("lime") == "random-quickshift"
    assert floor_of("lime-onsets") == "random-onsets"
    assert floor_of("occlusion") == "random-grid"
    assert floor_of("random-grid") == "random-grid"
    assert floor_of("permuted-lime") == "random"
    names = with_floors(["lime", "saliency", "random"])
    assert names == ["lime", "saliency", "random", "random-quickshift"]


def test_complete_explainers_promise_a_sum():
    assert is_complete("kernel_shap-bands")
    assert is_complete("permuted-integrated_gradients")
    assert not is_complete("lime")
