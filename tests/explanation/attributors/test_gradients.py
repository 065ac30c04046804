import pytest
import torch

from autrainer_ext.explanation.attributors import (
    completeness_gap,
    gradient_shap,
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)

SILENCE = -2.0


def test_gradients_of_a_linear_model_are_its_weights(linear):
    model, features, target = linear(channels=2)
    weights = model.weights.detach()[target]
    torch.testing.assert_close(saliency(model, features, target), weights)
    torch.testing.assert_close(saliency(model, features, target, absolute=True), weights.abs())
    torch.testing.assert_close(smooth_grad(model, features, target), weights)


@pytest.mark.parametrize("method", [input_x_gradient, integrated_gradients])
def test_contributions_of_a_linear_model_are_weight_times_distance(linear, method):
    model, features, target = linear()
    expected = model.weights.detach()[target] * (features - SILENCE)
    found = method(model, features, target, baseline=SILENCE)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_gradient_shap_of_a_linear_model_is_weight_times_distance(linear):
    model, features, target = linear()
    expected = model.weights.detach()[target] * (features - SILENCE)
    found = gradient_shap(model, features, target, baseline=SILENCE, n_samples=20)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_gradient_shap_adds_up_the_better_the_more_points(network, clips):
    features, target = clips
    gaps = []
    for n_samples in (8, 2048):
        found = gradient_shap(network, features, target, baseline=SILENCE, n_samples=n_samples)
        gap = completeness_gap(network, features, target, found, baseline=SILENCE)
        gaps.append(float(gap.abs().mean()))
    assert gaps[1] < gaps[0] / 4
