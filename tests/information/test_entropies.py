import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from autrainer_ext.information import entropies, entropy_bits

TABLES = npst.arrays(
    np.int64,
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    elements=st.one_of(st.just(0), st.integers(0, 10**6)),
).filter(lambda matrix: matrix.sum() > 0)


def slow(counts):
    """The six quantities cell by cell, conditional entropies by their own definition."""
    n = float(counts.sum())
    rows, columns = counts.sum(axis=1) / n, counts.sum(axis=0) / n
    h_true = -sum(p * math.log2(p) for p in rows if p)
    h_pred = -sum(p * math.log2(p) for p in columns if p)
    h_joint = h_true_given_pred = h_pred_given_true = shared = 0.0
    for (i, j), count in np.ndenumerate(counts):
        if count:
            p = count / n
            h_joint -= p * math.log2(p)
            h_true_given_pred -= p * math.log2(p / columns[j])
            h_pred_given_true -= p * math.log2(p / rows[i])
            shared += p * math.log2(p / (rows[i] * columns[j]))
    return h_true, h_pred, h_joint, h_true_given_pred, h_pred_given_true, shared


NAMES = (
    "h_true",
    "h_pred",
    "h_joint",
    "h_true_given_pred",
    "h_pred_given_true",
    "mutual_information",
)


@settings(deadline=None, max_examples=200)
@given(TABLES)
def test_entropies_are_those_of_a_loop_over_cells(counts):
    found = entropies(counts)
    for name, expected in zip(NAMES, slow(counts), strict=True):
        assert getattr(found, name) == pytest.approx(expected, abs=1e-10), name


@settings(deadline=None, max_examples=200)
@given(TABLES, st.booleans())
def test_identities(counts, miller_madow):
    h = entropies(counts, miller_madow=miller_madow)
    shared = h.mutual_information
    assert h.h_true + h.h_pred == pytest.approx(h.h_joint + shared, abs=1e-10)
    assert h.h_true == pytest.approx(shared + h.h_true_given_pred, abs=1e-10)
    assert h.h_pred == pytest.approx(shared + h.h_pred_given_true, abs=1e-10)
    assert h.variation_of_information == pytest.approx(h.h_joint - shared, abs=1e-10)
    assert (h.n_true, h.n_pred) == counts.shape


@settings(deadline=None, max_examples=200)
@given(TABLES)
def test_bounds(counts):
    h = entropies(counts)
    assert 0 <= h.h_true <= math.log2(counts.shape[0]) + 1e-12
    assert 0 <= h.h_pred <= math.log2(counts.shape[1]) + 1e-12
    assert max(h.h_true, h.h_pred) <= h.h_joint + 1e-12
    assert 0 <= h.mutual_information <= min(h.h_true, h.h_pred) + 1e-12
    assert h.h_true_given_pred >= 0
    assert h.h_pred_given_true >= 0


@settings(deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_order_of_classes_and_direction_do_not_matter(counts, random):
    rows, columns = (random.sample(range(size), size) for size in counts.shape)
    h, permuted = entropies(counts), entropies(counts[rows][:, columns])
    turned = entropies(counts.T)
    for found in (permuted.mutual_information, turned.mutual_information):
        assert found == pytest.approx(h.mutual_information, abs=1e-10)
    assert turned.h_true_given_pred == pytest.approx(h.h_pred_given_true, abs=1e-10)


def test_leading_dimensions_are_kept():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 3, (4, 5, 3, 6)) + np.eye(3, 6, dtype=int)
    together = entropies(counts)
    for index in np.ndindex(4, 5):
        alone = entropies(counts[index])
        for name in NAMES:
            assert getattr(together, name)[index] == getattr(alone, name)


def test_entropy_by_hand():
    assert entropy_bits([1, 1, 1, 1]) == 2
    assert entropy_bits([5, 0, 0]) == 0
    assert not np.signbit(entropy_bits([5, 0, 0]))
    np.testing.assert_allclose(entropy_bits([[1, 1], [3, 1]]), [1, 2 - 0.75 * math.log2(3)])
    assert np.isnan(entropy_bits([0, 0]))


def test_miller_madow_by_hand():
    counts = np.array([[8, 0, 1], [2, 5, 0], [0, 0, 0]])
    plain, corrected = entropies(counts), entropies(counts, miller_madow=True)
    unit = 1 / (2 * 16 * math.log(2))
    assert corrected.h_true - plain.h_true == pytest.approx(unit, abs=1e-12)
    assert corrected.h_pred - plain.h_pred == pytest.approx(2 * unit, abs=1e-12)
    assert corrected.h_joint - plain.h_joint == pytest.approx(3 * unit, abs=1e-12)
    assert corrected.mutual_information == pytest.approx(plain.mutual_information, abs=1e-12)


def test_miller_madow_takes_the_bias_from_independent_labels():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(888, np.full(100, 0.01), size=500).reshape(-1, 10, 10)
    plain = entropies(counts).mutual_information.mean()
    corrected = entropies(counts, miller_madow=True).mutual_information
    assert plain == pytest.approx(81 / (2 * 888 * math.log(2)), rel=0.05)  # 0.066 bits
    assert abs(corrected.mean()) < 0.003
    assert corrected.min() < 0
