import functools

import pytest
import torch
from torch import nn

from autrainer_ext.explanation.attributors.registry import (
    EXPLAINERS,
    make_explainer,
    unit_of,
)
from autrainer_ext.explanation.segments import SEGMENTERS, quickshift


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


def make(name, **settings):
    return make_explainer(name, baseline=-2.0, **settings)


def test_explainers_have_their_segments():
    assert make("saliency").segmenter is None
    assert make("lime").segmenter is quickshift
    assert make("lime-onsets").segmenter is SEGMENTERS["onsets"]
    assert make("occlusion").segmenter is SEGMENTERS["grid"]
    assert make("random").segmenter is None
    assert make("permuted-lime").segmenter is None


def test_methods_that_promise_a_sum_are_named():
    assert make("kernel_shap-bands").is_complete
    assert make("permuted-integrated_gradients").is_complete
    assert not make("lime").is_complete


def test_published_study_has_its_own_explainers():
    assert make("grad_cam", source_compatible=True).settings["rectify"] is False
    published = make("lime", source_compatible=True)
    assert published.settings["fill_with_means"] is True
    assert isinstance(published.segmenter, functools.partial)
    assert published.segmenter.keywords == {"min_segments": 0}
    assert "rectify" not in make("grad_cam").settings


def test_known_segments_are_used(network):
    features = torch.randn(1, 1, 8, 10, generator=torch.Generator().manual_seed(0))
    segments = torch.zeros(8, 10, dtype=torch.long)
    segments[4:] = 1
    found = make("kernel_shap").with_segments(segments)
    estimate = found.estimate(network, features, torch.tensor([1]))
    assert estimate.n_segments == 2
    assert estimate.attributions.unique().numel() == 2
    assert make("saliency").estimate(network, features, torch.tensor([1])).errors is None


def test_number_of_samples_reaches_the_methods_that_sample(network):
    features = torch.randn(1, 1, 8, 10, generator=torch.Generator().manual_seed(0))
    for name, most in (("kernel_shap", 102), ("lime-grid", 100)):
        explainer = make(name, n_samples=100, target_error=1e-9)
        assert explainer.estimate(network, features, torch.tensor([1])).n_samples == most
    assert "n_samples" not in make("smooth_grad", n_samples=100).settings


def test_units_are_known():
    assert unit_of("permuted-lime-grid") == "probability"
    assert unit_of("occlusion") == "logit"
