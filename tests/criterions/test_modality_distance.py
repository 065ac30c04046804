import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.criterions import (
    DISTANCES,
    between_class_variance,
    modality_distance,
    pair_mask,
    pairwise_distances,
)

EVERY = pytest.mark.parametrize("distance", DISTANCES)


def batch(n, dimension=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, dimension, generator=generator, dtype=torch.float64)
    y, m, g = (torch.randint(3, (n,), generator=generator) for _ in range(3))
    return z, y, m, g


def by_definition(a, b, distance):
    if distance == "l1":
        return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)
    if distance == "squared_l2":
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / len(a)
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return 1 - dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def slow(z, y, m, distance, groups=None):
    values = [
        by_definition(z[i].tolist(), z[j].tolist(), distance)
        for i in range(len(z))
        for j in range(i)
        if y[i] == y[j] and m[i] != m[j] and (groups is None or groups[i] == groups[j])
    ]
    return sum(values) / len(values) if values else 0.0


@EVERY
@given(n=st.integers(0, 9), seed=st.integers(0, 99), grouped=st.booleans())
@settings(deadline=None, max_examples=25)
def test_mean_over_pairs_is_that_of_the_definition(distance, n, seed, grouped):
    z, y, m, g = batch(n, seed=seed)
    groups = g if grouped else None
    found = modality_distance(z, pair_mask(y, m, groups), distance)
    assert found.item() == pytest.approx(slow(z, y, m, distance, groups), abs=1e-12)


@EVERY
@given(seed=st.integers(0, 99))
@settings(deadline=None, max_examples=10)
def test_order_of_the_batch_does_not_matter(distance, seed):
    z, y, m, g = batch(8, seed=seed)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(
        modality_distance(z, pair_mask(y, m, g), distance),
        modality_distance(z[order], pair_mask(y[order], m[order], g[order]), distance),
    )


def test_hand_worked_batch():
    """Two buses on a and b, a park on a: one pair, (1, 2) and (4, 0)."""
    z = torch.tensor([[1.0, 2.0], [4.0, 0.0], [9.0, 9.0]])
    mask = pair_mask(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0]))
    assert mask.nonzero().tolist() == [[0, 1]]
    assert modality_distance(z, mask, "l1") == 2.5
    assert modality_distance(z, mask, "squared_l2") == pytest.approx(6.5)
    assert modality_distance(z, mask, "cosine") == pytest.approx(1 - 4 / (5**0.5 * 4))


def test_groups_keep_parallel_recordings_apart_from_others():
    y, m = torch.zeros(4).long(), torch.tensor([0, 1, 0, 1])
    assert pair_mask(y, m).nonzero().tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    groups = torch.tensor([5, 5, 6, 6])
    assert pair_mask(y, m, groups).nonzero().tolist() == [[0, 1], [2, 3]]


def test_unknown_modality_or_group_makes_no_pair():
    y, m = torch.zeros(4).long(), torch.tensor([0, 1, -1, -1])
    assert pair_mask(y, m).nonzero().tolist() == [[0, 1]]
    assert not pair_mask(y, m, torch.tensor([-1, -1, 3, 3])).any()


@EVERY
@pytest.mark.parametrize(
    ("y", "m"), [([0, 1, 2], [0, 1, 2]), ([0, 0, 0], [1, 1, 1]), ([0], [0]), ([], [])]
)
def test_no_pair_gives_a_zero_with_a_gradient_of_zeros(distance, y, m):
    z = torch.randn(len(y), 4, requires_grad=True)
    loss = modality_distance(z, pair_mask(torch.tensor(y), torch.tensor(m)), distance)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(z.grad, torch.zeros(len(y), 4))


@EVERY
def test_identical_pairs_have_no_distance_and_no_gradient(distance):
    z = torch.ones(4, 6, dtype=torch.float64, requires_grad=True)
    mask = pair_mask(torch.zeros(4).long(), torch.arange(4))
    loss = modality_distance(z, mask, distance)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-15)
    assert z.grad.abs().max() < 1e-15


@EVERY
@pytest.mark.parametrize("relative", [False, True])
def test_gradient_is_that_of_finite_differences(distance, relative):
    z, y, m, _ = batch(7, seed=3)
    mask = pair_mask(y, m)
    assert mask.sum() > 3
    z.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: modality_distance(z, mask, distance, relative=relative), z
    )


@EVERY
@pytest.mark.parametrize("times", [2, 3])
def test_neither_the_number_of_pairs_nor_the_dimension_changes_the_scale(distance, times):
    z, y, m, _ = batch(8, seed=1)
    once = modality_distance(z, pair_mask(y, m), distance)
    wider = modality_distance(z.repeat(1, times), pair_mask(y, m), distance)
    torch.testing.assert_close(wider, once)
    groups = torch.arange(times).repeat_interleave(8)
    y, m = y.repeat(times), m.repeat(times)
    torch.testing.assert_close(
        modality_distance(z.repeat(times, 1), pair_mask(y, m, groups), distance), once
    )


@EVERY
def test_relative_distance_of_a_hand_worked_batch_is_that_over_all_pairs(distance):
    z = torch.tensor([[3.0, 1], [1, 1], [0, 2], [5, 0]], dtype=torch.float64)
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[0, 1] = True
    every = [by_definition(z[i], z[j], distance) for i in range(4) for j in range(i)]
    found = modality_distance(z, mask, distance, relative=True)
    assert found.item() == pytest.approx((every[0] / (sum(every) / 6)).item())


@EVERY
@pytest.mark.parametrize("scale", [1e-6, 0.1, 1e4])
def test_relative_distance_does_not_fall_where_embeddings_shrink(distance, scale):
    z, y, m, _ = batch(12)
    of_z, of_scaled = (x.clone().requires_grad_() for x in (z, scale * z))
    values = [
        modality_distance(x, pair_mask(y, m), distance, relative=True) for x in (of_z, of_scaled)
    ]
    torch.testing.assert_close(*values)
    (slope,) = torch.autograd.grad(values[1], of_scaled)
    assert abs((slope * of_scaled).sum().item()) < 1e-9  # no pull towards zero
    assert slope.norm() > 0


@EVERY
def test_relative_distance_of_all_pairs_is_one(distance):
    z, *_ = batch(8)
    every = torch.ones(8, 8, dtype=torch.bool).triu(1)
    assert modality_distance(z, every, distance, relative=True).item() == pytest.approx(1)


def test_relative_distance_of_equal_samples_is_zero_without_a_gradient():
    z = torch.ones(4, 3, requires_grad=True)
    mask = torch.ones(4, 4, dtype=torch.bool).triu(1)
    for distance in ("l1", "squared_l2"):
        value = modality_distance(z, mask, distance, relative=True)
        (slope,) = torch.autograd.grad(value, z)
        assert value.item() == 0
        assert torch.equal(slope, torch.zeros_like(z))


def test_small_distances_between_large_vectors_are_kept():
    z = 1000 + torch.tensor([[0.0, 0.0], [0.25, 0.5]]).repeat(20, 1)
    assert pairwise_distances(z, "squared_l2")[0, 1].item() == pytest.approx(0.15625, rel=1e-3)
    assert pairwise_distances(z, "l1")[0, 1].item() == pytest.approx(0.375, rel=1e-3)


def test_vector_of_zeros_has_cosine_zero_with_everything():
    assert pairwise_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), "cosine")[0, 1] == 1


def test_unknown_distance_is_rejected():
    with pytest.raises(ValueError, match="Unknown distance 'l2'.*l1, squared_l2, cosine"):
        pairwise_distances(torch.zeros(2, 2), "l2")


@given(seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_variance_between_and_within_classes_add_up(seed):
    z, y, _, _ = batch(12, seed=seed)
    within = sum(((z[y == c] - z[y == c].mean(dim=0)) ** 2).sum() for c in y.unique().tolist()) / (
        12 * 5
    )
    total = z.var(dim=0, unbiased=False).mean()
    torch.testing.assert_close(between_class_variance(z, y) + within, total)


def test_collapse_shows_in_the_variance_between_classes():
    z, y, _, _ = batch(12)
    assert between_class_variance(0.1 * z, y) == pytest.approx(
        0.01 * between_class_variance(z, y).item()
    )
    assert between_class_variance(torch.ones(12, 5), y) == 0
    assert between_class_variance(z, torch.zeros(12)) < 1e-30
    assert between_class_variance(z[:0], y[:0]) == 0
