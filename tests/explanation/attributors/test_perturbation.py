import itertools
import math

import pytest
import torch
from captum.attr import KernelShap

from autrainer_ext.explanation.attributors import completeness_gap, kernel_shap, lime, occlusion
from autrainer_ext.explanation.segments import bands, grid, time_slices

SILENCE = -2.0


def four_cells(features):
    return grid(features, n_slices=2, n_bands=2)


def segment_sums(values, segments):
    sums = torch.stack([values[..., segments == k].sum(-1) for k in range(segments.max() + 1)], -1)
    return sums.sum(1)  # over channels


@pytest.mark.parametrize("n_samples", [64, 20])  # 2 ** 6 - 2 = 62: all coalitions, and some
def test_kernel_shap_of_a_linear_model_is_the_sum_over_each_segment(linear, n_samples):
    def six(features):
        return grid(features, n_slices=2, n_bands=3)

    model, features, target = linear(channels=2)
    found = kernel_shap(
        model, features, target, segmenter=six, baseline=SILENCE, n_samples=n_samples
    )
    weighted = model.weights.detach()[target] * (features - SILENCE)
    segments = six(features[0])
    expected = segment_sums(weighted, segments)
    torch.testing.assert_close(segment_sums(found, segments), expected, atol=1e-4, rtol=0)


def test_occlusion_of_a_linear_model_is_the_sum_over_each_segment(linear):
    model, features, target = linear()
    found = occlusion(model, features, target, baseline=SILENCE, segmenter=four_cells)
    weighted = model.weights.detach()[target] * (features - SILENCE)
    segments = four_cells(features[0])
    expected = segment_sums(weighted, segments)[:, segments][:, None]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_lime_of_a_linear_model_without_penalty_is_the_sum_over_each_segment(linear):
    model, features, target = linear()
    found = lime(
        model,
        features,
        target,
        segmenter=four_cells,
        baseline=SILENCE,
        score="logit",
        ridge=1e-9,
        n_samples=64,
    )
    weighted = model.weights.detach()[target] * (features - SILENCE)
    segments = four_cells(features[0])
    expected = segment_sums(weighted, segments)[:, segments][:, None]
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def shapley_values(score, n):
    """From the definition: the average gain of joining a coalition."""
    values = torch.zeros(n, dtype=torch.float64)
    for player in range(n):
        others = [k for k in range(n) if k != player]
        for size in range(n):
            share = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for coalition in itertools.combinations(others, size):
                values[player] += share * (score({*coalition, player}) - score(set(coalition)))
    return values


def test_kernel_shap_is_exact_where_all_coalitions_are_evaluated(network, clips):
    features, target = clips
    segments = bands(features[0], n_bands=5)

    @torch.no_grad()
    def score(coalition):
        kept = torch.isin(segments, torch.tensor(sorted(coalition), dtype=torch.long))
        return network(torch.where(kept, features[:1], SILENCE))[0, target[0]].double()

    expected = shapley_values(score, 5)
    found = kernel_shap(
        network,
        features[:1],
        target[:1],
        segmenter=lambda x: bands(x, n_bands=5),
        baseline=SILENCE,
        n_samples=30,
    )
    torch.testing.assert_close(
        segment_sums(found, segments)[0].double(), expected, atol=1e-5, rtol=0
    )


def test_kernel_shap_agrees_with_captum(network, clips):
    features, target = clips
    found = kernel_shap(network, features[:1], target[:1], segmenter=time_slices, baseline=SILENCE)
    segments = time_slices(features[0])
    torch.manual_seed(0)
    with torch.no_grad():
        theirs = KernelShap(network).attribute(
            features[:1],
            baselines=SILENCE,
            target=target[:1],
            feature_mask=segments[None, None],
            n_samples=4000,
            perturbations_per_eval=500,
            return_input_shape=False,
        )
    ours = segment_sums(found, segments)
    torch.testing.assert_close(ours, theirs, atol=0.05 * float(theirs.abs().max()), rtol=0)


@pytest.mark.parametrize("method", [lime, kernel_shap])
def test_settings_of_perturbations_are_checked(network, clips, method):
    with pytest.raises(ValueError, match="n_samples must be at least 2, got 1"):
        method(network, *clips, n_samples=1)
    with pytest.raises(ValueError, match="Unknown score 'odds'"):
        method(network, *clips, score="odds")


def test_single_segment_gets_everything(network, clips):
    features, target = clips
    found = kernel_shap(
        network, features, target, segmenter=lambda x: time_slices(x, n_slices=1), baseline=SILENCE
    )
    gap = completeness_gap(network, features, target, found, baseline=SILENCE)
    torch.testing.assert_close(gap, torch.zeros(5).double(), atol=1e-5, rtol=0)
