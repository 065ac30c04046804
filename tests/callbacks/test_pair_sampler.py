import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.callbacks.pair_sampler import PairSampler

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 5)), max_size=60)


def sampler(classes, modalities, groups=None, seed=0):
    return PairSampler(classes, modalities, groups, generator=torch.Generator().manual_seed(seed))


def columns(rows):
    return np.array(rows, dtype=int).reshape(-1, 3).T


def partners(order, classes, modalities):
    """How many neighbours of the order, each sample used once, form a pair."""
    found, position = 0, 0
    while position + 1 < len(order):
        a, b = order[position], order[position + 1]
        if classes[a] == classes[b] and modalities[a] != modalities[b]:
            found, position = found + 1, position + 1
        position += 1
    return found


@given(rows=LABELS, grouped=st.booleans(), seed=st.integers(0, 9))
@settings(deadline=None)
def test_every_sample_is_drawn_once(rows, grouped, seed):
    classes, modalities, groups = columns(rows)
    drawn = sampler(classes, modalities, groups if grouped else None, seed)
    assert sorted(drawn) == list(range(len(rows)))
    assert len(drawn) == len(rows)


@given(rows=LABELS, seed=st.integers(0, 9))
@settings(deadline=None)
def test_as_many_pairs_as_there_can_be(rows, seed):
    classes, modalities, _ = columns(rows)
    possible = 0
    for label in set(classes.tolist()):
        counts = np.bincount(modalities[classes == label])
        possible += min(counts.sum() // 2, counts.sum() - counts.max())
    order = list(sampler(classes, modalities, seed=seed))
    assert partners(order, classes, modalities) >= possible


@given(rows=LABELS, seed=st.integers(0, 9))
@settings(deadline=None)
def test_parallel_recordings_stay_together(rows, seed):
    classes, modalities, groups = columns(rows)
    order = list(sampler(classes, modalities, groups, seed))
    units = [(classes[i], groups[i]) for i in order]
    starts = [unit for unit, before in zip(units, [None, *units], strict=False) if unit != before]
    assert len(starts) == len(set(starts))


def test_batches_hold_more_pairs_than_random_ones():
    """As in TAU22: one device made most of the recordings."""
    rng = np.random.default_rng(0)
    classes = rng.integers(10, size=2000)
    modalities = np.where(rng.random(2000) < 0.75, 0, rng.integers(1, 6, size=2000))
    moments = np.arange(2000) // 2
    classes[1::2], modalities[::2] = classes[::2], 0

    def pairs(order, groups):
        total = 0
        for start in range(0, 2000, 16):
            batch = np.array(order[start : start + 16])
            same = classes[batch][:, None] == classes[batch]
            differ = modalities[batch][:, None] != modalities[batch]
            parallel = groups is None or groups[batch][:, None] == groups[batch]
            total += np.triu(same & differ & parallel).sum()
        return total

    random = rng.permutation(2000)
    for groups, factor in ((None, 1.5), (moments, 20)):
        drawn = pairs(list(sampler(classes, modalities, groups)), groups)
        assert drawn > factor * pairs(random, groups)


def test_passes_differ_and_follow_the_seed():
    classes, modalities = np.arange(40) % 4, np.arange(40) % 3
    first, second = sampler(classes, modalities), sampler(classes, modalities)
    orders = [list(first) for _ in range(3)]
    assert orders == [list(second) for _ in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert list(sampler(classes, modalities, seed=1)) != orders[0]


def test_samples_of_unknown_group_are_units_of_their_own():
    groups = ["m", "m", None, None, "n", "n"]
    starts = set()
    for seed in range(50):
        order = list(sampler(["x"] * 6, list("ababab"), groups, seed))
        assert abs(order.index(0) - order.index(1)) == 1
        assert abs(order.index(4) - order.index(5)) == 1
        starts.add(abs(order.index(2) - order.index(3)))
    assert len(starts) > 1


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="Lengths differ: 2, 3"):
        sampler([0, 1], [0, 1, 2])
