import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from autrainer_ext.explanation.fidelity import (
    MEASURES,
    MaskScores,
    complexity,
    curves,
    score_masks,
    sparseness,
)
from autrainer_ext.explanation.masks import make_masks
from autrainer_ext.serving.forward import ForwardPass

SILENCE = -1.5


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(30, 8), nn.ReLU(), nn.Linear(8, 4)).eval()


@pytest.fixture
def clips(network):
    features = 2 * torch.randn(5, 1, 5, 6, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        return features, network(features).argmax(dim=1)


def draw(seed, shape=(5, 1, 5, 6)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def softmax(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def plain_scores(network, features, target, mask):
    """One sample, in numpy, formula by formula."""
    x, m = features.numpy().astype(np.float64), mask.numpy().astype(np.float64)

    def f(values):
        tensor = torch.from_numpy(values.astype(np.float32))[None]
        with torch.no_grad():
            return softmax(network(tensor)[0].double().numpy())

    whole = f(x)[target]
    kept = f((x - SILENCE) * m + SILENCE)
    removed = f((x - SILENCE) * (1 - m) + SILENCE)
    return {
        "FF": whole - removed[target],
        "AI": 100.0 if kept[target] > whole + 1e-6 else 0.0,
        "AD": 100 * max(0, whole - kept[target]) / whole,
        "AG": 100 * max(0, kept[target] - whole) / (1 - whole),
        "FidIn": float(kept.argmax() == target),
    }


@pytest.mark.parametrize("batch_size", [1, 4, 7, 1000])
def test_scores_are_the_plain_formulas(network, clips, batch_size):
    features, target = clips
    masks = make_masks(draw(1))
    forward = ForwardPass(network, device="cpu", batch_size=batch_size)
    scores = score_masks(forward, features, target, masks, baseline=SILENCE)
    assert list(scores) == list(masks)
    for name, mask in masks.items():
        for i in range(len(features)):
            expected = plain_scores(network, features[i], int(target[i]), mask[i])
            found = {key: float(getattr(scores[name], key)[i]) for key in expected}
            assert found == pytest.approx(expected, abs=3e-3, rel=1e-4), (name, i)


def test_batch_size_changes_nothing(network, clips):
    features, target = clips
    masks = make_masks(draw(1))
    one, all_ = (
        score_masks(
            ForwardPass(network, device="cpu", batch_size=size),
            features,
            target,
            masks,
            baseline=SILENCE,
        )
        for size in (1, 999)
    )
    for name in masks:
        for key in ("FF", "AI", "AD", "AG", "FidIn"):
            torch.testing.assert_close(
                getattr(one[name], key), getattr(all_[name], key), atol=1e-5, rtol=1e-5
            )


def test_batches_are_full_and_bounded(network, clips):
    features, target = clips
    sizes = []

    def predict(inputs):
        sizes.append(len(inputs))
        return network(inputs)

    masks = {f"{k}": torch.full_like(features, k / 20) for k in range(14)}
    forward = ForwardPass(predict, device="cpu", batch_size=8)
    score_masks(forward, features, target, masks, baseline=SILENCE)
    assert sizes == [8] * 18 + [1]  # 29 times 5 inputs
    sizes.clear()
    masks = {name: torch.ones_like(features) for name in "abc"}
    scores = score_masks(forward, features, target, masks, baseline=SILENCE)
    assert sizes == [8, 7]  # equal masks are asked once
    assert list(scores) == ["a", "b", "c"]


def test_mask_of_ones_changes_nothing(network, clips):
    features, target = clips
    ones = {"ones": torch.ones_like(features)}
    scores = score_masks(network, features, target, ones, baseline=SILENCE)["ones"]
    assert scores.FidIn.tolist() == 5 * [1.0]
    assert scores.AI.tolist() == 5 * [0.0]
    for name in ("AD", "AG"):
        assert getattr(scores, name).tolist() == pytest.approx(5 * [0.0], abs=1e-4)


def test_increase_within_the_tolerance_does_not_count():
    def predict(inputs):  # surer by a hair the emptier the input
        certainty = inputs.mean(dim=(1, 2, 3)).double()
        return torch.stack([-1e-7 * certainty, 0 * certainty], dim=1)

    features, target = torch.ones(1, 1, 2, 2), torch.tensor([0])
    mask = {"half": torch.full((1, 1, 2, 2), 0.5)}
    tolerant = score_masks(predict, features, target, mask, baseline=0.0)["half"]
    strict = score_masks(predict, features, target, mask, baseline=0.0, source_compatible=True)[
        "half"
    ]
    assert (float(tolerant.AI), float(strict.AI)) == (0.0, 100.0)
    assert float(tolerant.AG) > 0


def test_certain_models_give_finite_scores():
    def predict(inputs):
        return 1e4 * torch.stack([inputs.mean(dim=(1, 2, 3)), -inputs.mean(dim=(1, 2, 3))], 1)

    features = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    masks = make_masks(draw(0, (2, 1, 2, 2)))
    for scores in score_masks(
        predict, features, torch.tensor([0, 0]), masks, baseline=0.0
    ).values():
        for name in ("FF", "AI", "AD", "AG", "FidIn"):
            values = getattr(scores, name)
            assert values.isfinite().all()
            assert (values >= MEASURES[name].lowest).all()
            assert (values <= MEASURES[name].highest).all()


def test_no_samples_are_an_error(network):
    with pytest.raises(ValueError, match="There are no samples"):
        score_masks(network, torch.zeros(0, 1, 5, 6), torch.zeros(0).long(), {}, baseline=0.0)


def test_scores_need_one_value_per_sample():
    with pytest.raises(ValueError, match="one value per sample"):
        MaskScores(*(torch.zeros(2) for _ in range(4)), torch.zeros(3))


def plain_gini(values):
    """Mean absolute difference of all pairs, relative to twice the mean."""
    values = np.abs(values)
    return np.abs(values[:, None] - values).mean() / (2 * values.mean())


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 40))
def test_sparseness_is_the_gini_index_of_all_pairs(seed, n):
    maps = draw(seed, (3, 1, 1, n))
    expected = [plain_gini(one.double().numpy().ravel()) for one in maps]
    assert sparseness(maps).tolist() == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 40))
def test_complexity_is_the_entropy_of_the_shares(seed, n):
    maps = draw(seed, (3, 1, 1, n))
    shares = [one.abs().double().numpy().ravel() for one in maps]
    shares = [one / one.sum() for one in shares]
    expected = [-(one * np.log(one)).sum() for one in shares]
    assert complexity(maps).tolist() == pytest.approx(expected, abs=1e-9)


def test_complexities_by_hand():
    single = torch.zeros(1, 1, 2, 4)
    single[0, 0, 1, 2] = -7
    assert float(sparseness(single)) == pytest.approx(7 / 8)
    assert float(complexity(single)) == 0
    pair = single.clone()
    pair[0, 0, 0, 0] = 7
    assert float(sparseness(pair)) == pytest.approx(6 / 8)
    assert float(complexity(pair)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("value", [0.0, 2.5, math.nan, math.inf])
def test_what_explains_nothing_is_worst(value):
    maps = torch.full((1, 1, 64, 501), value)
    assert float(sparseness(maps)) == 0
    assert float(complexity(maps)) == pytest.approx(10.375, abs=5e-4)  # ln(64 * 501)
    assert float(complexity(maps, source_compatible=True)) == 0


def plain_curve(network, features, target, attributions, counts, *, insert):
    order = np.argsort(-attributions.numpy().ravel(), kind="stable")
    points = []
    for count in counts:
        x = features.numpy().ravel().copy()
        changed = order[count:] if insert else order[:count]
        x[changed] = SILENCE
        with torch.no_grad():
            logits = network(torch.from_numpy(x).view(1, *features.shape))[0].double().numpy()
        points.append(softmax(logits)[target])
    return points


def test_curves_are_plain_insertion_and_deletion(network, clips):
    features, target = clips
    maps = draw(2)
    found = curves(network, features, target, maps, baseline=SILENCE, n_steps=4)
    counts = [0, 7, 15, 22, 30]
    assert (30 * found.shares).tolist() == pytest.approx(counts)
    for i in range(5):
        arguments = network, features[i], int(target[i]), maps[i], counts
        inserted = plain_curve(*arguments, insert=True)
        deleted = plain_curve(*arguments, insert=False)
        assert found.insertion[i].tolist() == pytest.approx(inserted, abs=1e-6)
        assert found.deletion[i].tolist() == pytest.approx(deleted, abs=1e-6)
        area = sum(
            (right - left) / 30 * (inserted[k] + inserted[k + 1]) / 2
            for k, (left, right) in enumerate(itertools.pairwise(counts))
        )
        assert float(found.insertion_auc[i]) == pytest.approx(area, abs=1e-6)


def test_deleting_by_opposite_attributions_is_inserting_backwards(network, clips):
    features, target = clips
    maps = draw(2)
    ahead = curves(network, features, target, maps, baseline=SILENCE, n_steps=5)
    back = curves(network, features, target, -maps, baseline=SILENCE, n_steps=5)
    torch.testing.assert_close(ahead.insertion, back.deletion.flip(1), atol=1e-6, rtol=0)


def test_curves_of_what_explains_nothing_are_straight(network, clips):
    features, target = clips
    maps = draw(2)
    maps[1] = 0
    found = curves(network, features, target, maps, baseline=SILENCE, n_steps=6)
    steps = found.insertion[1].diff()
    torch.testing.assert_close(steps, steps[:1].expand(6), atol=1e-9, rtol=0)
    assert float(found.insertion_auc[1]) == pytest.approx(float(found.deletion_auc[1]))


def test_steps_must_be_positive(network, clips):
    with pytest.raises(ValueError, match="n_steps must be positive, got 0"):
        curves(network, *clips, draw(0), baseline=SILENCE, n_steps=0)


def test_complexities_are_those_of_quantus(root):
    """Recorded by tests/reference/quantus_complexity.py, which draws the same maps."""
    expected = json.loads((root / "tests/reference/quantus_complexity.json").read_text())
    maps = np.random.default_rng(7).normal(size=(10, 1, 20, 30))
    maps = np.sign(maps) * np.abs(maps) ** np.linspace(0.5, 6, 10).reshape(-1, 1, 1, 1)
    maps = torch.from_numpy(maps)
    # Quantus adds 1e-7 to every value relative to the largest before it sorts
    assert sparseness(maps).tolist() == pytest.approx(expected["SPS"], abs=1e-4)
    assert complexity(maps).tolist() == pytest.approx(expected["COMP"], abs=1e-5)
