import itertools

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from autrainer_ext.explanation.attributors.coalitions import (
    Coalitions,
    lime_coalitions,
    shapley_coalitions,
)
from autrainer_ext.explanation.attributors.estimate import (
    estimate,
    local_weights,
    ridge,
    shapley,
)
from autrainer_ext.explanation.attributors.perturbation import (
    estimate_kernel_shap,
    estimate_lime,
    kernel_shap,
)
from autrainer_ext.explanation.segments import grid

N = 12


def game(seed=0, cubic=3.0):
    """Values of coalitions with single, pairwise and threefold contributions."""
    rng = np.random.default_rng(seed)
    single = torch.from_numpy(rng.normal(0, 1, N))
    pair = torch.from_numpy(np.triu(rng.normal(0, 0.5, (N, N)), 1))
    triple = rng.choice(N, (4, 3))

    def answer(kept):
        kept = kept.double()
        value = kept @ single + torch.einsum("ki,ij,kj->k", kept, pair, kept)
        for i, j, k in triple.tolist():
            value = value + cubic * kept[:, i] * kept[:, j] * kept[:, k]
        return value

    return answer


def exact_shapley(answer):
    """From the definition, by all orders of joining: weights by the size of the coalition."""
    every = torch.tensor(list(itertools.product([False, True], repeat=N)))
    values = answer(every)
    sizes = every.sum(1)
    share = torch.lgamma(sizes.double() + 1) + torch.lgamma(N - sizes.double())
    share = (share - torch.lgamma(torch.tensor(N + 1.0).double())).exp()
    place = 2 ** torch.arange(N - 1, -1, -1)
    gains = []
    for player in range(N):
        without = ~every[:, player]
        joined = (every[without] * place).sum(1) + place[player]
        gains.append((share[without] * (values[joined] - values[without])).sum())
    return torch.stack(gains)


def sampled(answer, n_samples, seed):
    empty, whole = answer(torch.tensor([[False], [True]]).expand(2, N))
    return estimate(
        lambda kept: answer(kept) - empty,
        shapley_coalitions(N, n_samples, seed=seed),
        lambda *data: shapley(*data, total=whole - empty),
        target_error=1e-9,
    )


def test_leverage_sampling_finds_the_shapley_values():
    answer = game()
    values, errors, size, agreement = sampled(answer, 8000, seed=0)
    assert size == 8000
    assert agreement > 0.99
    torch.testing.assert_close(values, exact_shapley(answer), atol=0.03, rtol=0)
    assert float(errors.max()) < 0.02


def test_standard_errors_are_those_of_repeated_sampling():
    answer = game()
    runs = [sampled(answer, 300, seed)[:2] for seed in range(200)]
    values, errors = (torch.stack(part) for part in zip(*runs, strict=True))
    ratio = errors.square().mean(0).sqrt() / values.std(0)
    assert 0.85 < float(ratio.mean()) < 1.15
    truth = exact_shapley(answer)
    covered = ((values - truth).abs() <= 1.96 * errors).double().mean()
    assert 0.92 < float(covered) < 0.975


def test_standard_errors_of_lime_are_those_of_repeated_sampling():
    answer, runs = game(), []
    others = lime_coalitions(N, 2048, kernel_width=0.25, seed=999)
    for seed in range(80):
        drawn = lime_coalitions(N, 300, kernel_width=0.25, seed=seed)
        data = drawn.kept.double(), answer(drawn.kept), drawn.weights
        runs.append(local_weights(*data, strength=1e-3, others=others))
    values, errors = (torch.stack(part) for part in zip(*runs, strict=True))
    ratio = errors.square().mean(0).sqrt() / values.std(0)
    assert 0.85 < float(ratio.mean()) < 1.15


def test_a_surrogate_reduces_the_error_by_a_third():
    answer = game()
    empty, whole = answer(torch.tensor([[False], [True]]).expand(2, N))
    every = lime_coalitions(N, 8192, kernel_width=0.25, seed=999)
    truths = {
        "shapley": exact_shapley(answer),
        "lime": ridge(every.kept.double(), answer(every.kept), every.weights, strength=8.192)[0],
    }
    errors = {name: torch.zeros(2, N) for name in truths}
    for seed in range(20):
        drawn = shapley_coalitions(N, 512, seed=seed)
        kept, answers = drawn.kept.double(), answer(drawn.kept)
        plain = plain_kernel_shap(kept, answers - empty, drawn.weights, whole - empty)
        found, _ = shapley(kept, answers, drawn.weights, total=whole - empty)
        errors["shapley"] += torch.stack([plain, found]).sub(truths["shapley"]).square()
        drawn = lime_coalitions(N, 512, kernel_width=0.25, seed=seed)
        data = drawn.kept.double(), answer(drawn.kept), drawn.weights
        plain, _ = ridge(*data, strength=0.512)
        found, _ = local_weights(*data, strength=1e-3, others=every)
        errors["lime"] += torch.stack([plain, found]).sub(truths["lime"]).square()
    for name, squares in errors.items():
        plain, found = squares.mean(dim=1).sqrt().tolist()
        assert found < 2 / 3 * plain, name


def plain_kernel_shap(kept, gains, weights, total):
    """Weighted least squares with the sum as a constraint, by Lagrange's multiplier."""
    gram = kept.T @ (kept * weights[:, None])
    moments = kept.T @ (gains * weights)
    ones = torch.ones(N).double()
    matrix = torch.cat(
        [torch.cat([gram, ones[:, None]], 1), torch.cat([ones, torch.zeros(1)])[None]]
    )
    return torch.linalg.solve(matrix, torch.cat([moments, total.reshape(1)]))[:N]


def test_evaluation_stops_when_the_error_is_small():
    easy, hard = game(cubic=0.0), game(cubic=10.0)
    sizes = []
    for answer in (easy, hard):
        empty, whole = answer(torch.tensor([[False], [True]]).expand(2, N))
        values, errors, size, _ = estimate(
            lambda kept, answer=answer, empty=empty: answer(kept) - empty,
            shapley_coalitions(N, 1000, seed=0),
            lambda *data, total=whole - empty: shapley(*data, total=total),
            target_error=0.01,
        )
        sizes.append(size)
        accepted = 0.01 * values.std(unbiased=False)
        assert errors.square().mean().sqrt() <= accepted or size == 1000
    assert sizes == [512, 1000]  # without threefold contributions pairs are exact


@pytest.mark.parametrize("n_samples", [50, 64, 2000])
def test_coalitions_are_pairs_of_complements(n_samples):
    for drawn in (
        lime_coalitions(6, n_samples, kernel_width=0.25, seed=0),
        shapley_coalitions(6, n_samples, seed=0),
    ):
        assert torch.equal(drawn.kept[::2], ~drawn.kept[1::2])
        assert drawn.is_complete == (n_samples >= 62 if len(drawn) == 62 else n_samples > 50)
        assert len(drawn) == len(drawn.weights) <= n_samples


def test_every_size_is_equally_frequent():
    drawn = shapley_coalitions(30, 29 * 40, seed=0)
    counts = torch.bincount(drawn.kept.sum(1))
    assert counts[0] == 0
    assert counts[1:].tolist() == [40] * 29
    middle = drawn.weights[drawn.kept.sum(1) == 15]
    assert middle.tolist() == pytest.approx([1 / 225] * 40)


def test_all_coalitions_have_no_error(network, clips):
    features, target = clips
    found = estimate_kernel_shap(
        network,
        features[:1],
        target[:1],
        baseline=-2.0,
        segmenter=lambda x: grid(x, n_slices=2, n_bands=3),
    )
    assert (found.n_samples, found.agreement, found.relative_error) == (64, 1, 0)
    assert torch.equal(found.significant, found.attributions)


def test_silent_segments_have_no_value(network, clips):
    features, target = clips[0][:1].clone(), clips[1][:1]
    features[:, :, : features.shape[2] // 2] = -2.0
    for method in (estimate_lime, estimate_kernel_shap):
        found = method(
            network,
            features,
            target,
            baseline=-2.0,
            segmenter=lambda x: grid(x, n_slices=2, n_bands=2),
        )
        assert found.n_segments == 2
        assert not found.attributions[:, :, : features.shape[2] // 2].any()
        assert found.attributions[:, :, features.shape[2] // 2 :].any()


def test_silence_explains_nothing(network, clips):
    features, target = torch.full_like(clips[0][:1], -2.0), clips[1][:1]
    for method in (estimate_lime, estimate_kernel_shap):
        found = method(network, features, target, baseline=-2.0, segmenter=grid)
        assert found.n_segments == 0
        assert not found.attributions.any()


def test_significant_values_have_the_right_sign(network, clips):
    features, target = clips[0][:1], clips[1][:1]
    cells = {"segmenter": lambda x: grid(x, n_slices=4, n_bands=5), "baseline": -2.0}
    reference = kernel_shap(network, features, target, n_samples=8192, target_error=1e-9, **cells)
    n_wrong = n_significant = 0
    for seed in range(5):
        found = estimate_kernel_shap(
            network, features, target, n_samples=128, seed=seed, **cells
        ).significant
        n_significant += int((found != 0).sum())
        n_wrong += int(((found != 0) & (found.sign() != reference.sign())).sum())
    assert n_significant > 0
    assert n_wrong <= 0.05 * n_significant


def test_two_seeds_agree(network, clips):
    features, target = clips[0][:1], clips[1][:1]
    cells = {"segmenter": lambda x: grid(x, n_slices=4, n_bands=5), "baseline": -2.0}
    one, two = (kernel_shap(network, features, target, seed=seed, **cells) for seed in (0, 1))
    assert spearmanr(one.flatten(), two.flatten()).statistic > 0.9


def test_a_game_without_variation_ends():
    drawn = Coalitions(torch.ones(4, 3, dtype=torch.bool), torch.ones(4).double(), False)
    values, *_ = estimate(
        lambda kept: torch.zeros(len(kept)).double(),
        drawn,
        lambda *data: shapley(*data, total=torch.tensor(0.0)),
        target_error=0.1,
    )
    assert values.tolist() == [0, 0, 0]
