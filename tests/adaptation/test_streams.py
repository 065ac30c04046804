import numpy as np
import pytest

from autrainer_ext.adaptation.streams import ORDERS, batches, stream_order

TARGETS = np.arange(60) % 5
DEVICES = np.array(["b", "a", "c"])[np.arange(60) // 20]


def order(kind, seed=0):
    return stream_order(kind, 60, seed=seed, targets=TARGETS, groups=DEVICES)


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("seed", range(10))
def test_every_sample_arrives_once(kind, seed):
    assert sorted(order(kind, seed)) == list(range(60))


@pytest.mark.parametrize("kind", ORDERS)
def test_seed_decides(kind):
    assert order(kind).tolist() == order(kind).tolist()
    assert order(kind).tolist() != order(kind, 1).tolist()


@pytest.mark.parametrize(("kind", "keys"), [("class_correlated", TARGETS), ("grouped", DEVICES)])
def test_one_after_the_other_in_random_order(kind, keys):
    turns = set()
    for seed in range(20):
        arrived = keys[order(kind, seed)]
        starts = np.flatnonzero(arrived[1:] != arrived[:-1])
        assert len(starts) == len(set(keys)) - 1
        turns.add(tuple(arrived[[0, *(starts + 1)]]))
    assert len(turns) > 3


def test_samples_within_a_class_are_shuffled():
    arrived = order("class_correlated")
    assert (np.diff(arrived[:12]) < 0).any()


def test_batches_cover_the_stream():
    cut = list(batches(np.arange(10), 4))
    assert [b.tolist() for b in cut] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(batches(np.arange(0), 4)) == []


def test_wrong_requests_are_rejected():
    with pytest.raises(ValueError, match="Unknown order 'sorted'. Choose from: shuffled"):
        stream_order("sorted", 3, seed=0)
    with pytest.raises(ValueError, match="'class_correlated' needs targets, one for each of 3"):
        stream_order("class_correlated", 3, seed=0)
    with pytest.raises(ValueError, match="'grouped' needs groups"):
        stream_order("grouped", 3, seed=0, groups=np.zeros(2))
    with pytest.raises(ValueError, match="Argument 'batch_size' must be positive, got 0"):
        list(batches(np.arange(3), 0))


def test_stratified_batches_hold_every_group_in_its_share():
    groups = np.repeat(["a", "b", "c"], [60, 30, 10])
    order = stream_order("stratified", 100, seed=3, groups=groups)
    assert sorted(order) == list(range(100))
    for positions in batches(order, 20):
        counts = [int((groups[positions] == name).sum()) for name in "abc"]
        assert np.abs(np.array(counts) - [12, 6, 2]).max() <= 2
    assert (order != stream_order("stratified", 100, seed=4, groups=groups)).any()
