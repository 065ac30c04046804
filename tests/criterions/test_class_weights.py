import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.criterions.class_weights import (
    WEIGHTINGS,
    check_class_counts,
    effective_number,
    inverse_frequency,
    ldam_margins,
    log_priors,
    square_root_inverse,
)

COUNTS = st.lists(st.integers(1, 10**6), min_size=1, max_size=20)
BETAS = st.one_of(st.none(), st.floats(0, 0.999999))
EVERY = pytest.mark.parametrize("weights", WEIGHTINGS.values(), ids=WEIGHTINGS)


@EVERY
@settings(deadline=None)
@given(counts=COUNTS)
def test_mean_weight_of_the_training_samples_is_one(weights, counts):
    assert np.dot(counts, weights(counts)) == pytest.approx(sum(counts), rel=1e-12)


@EVERY
@settings(deadline=None)
@given(counts=COUNTS)
def test_rarer_classes_never_weigh_less(weights, counts):
    ordered = weights(sorted(counts))
    assert (np.diff(ordered) <= 1e-12 * ordered[:-1]).all()


@EVERY
@settings(deadline=None)
@given(counts=COUNTS, seed=st.integers(0, 99))
def test_order_of_the_classes_does_not_matter(weights, counts, seed):
    order = np.random.default_rng(seed).permutation(len(counts))
    np.testing.assert_allclose(weights(np.array(counts)[order]), weights(counts)[order], rtol=1e-12)


@EVERY
@pytest.mark.parametrize("count", [1, 7, 10**6])
def test_equal_counts_weigh_exactly_one(weights, count):
    np.testing.assert_allclose(weights([count] * 5), np.ones(5), rtol=1e-14)


@settings(deadline=None)
@given(counts=COUNTS)
def test_inverse_frequency_gives_every_class_the_same_total(counts):
    totals = np.array(counts) * inverse_frequency(counts)
    np.testing.assert_allclose(totals, sum(counts) / len(counts), rtol=1e-12)


def test_inverse_frequency_of_the_study_of_acoustic_scenes():
    """Training clips of its ten classes; weights from 0.530 to 8.551."""
    counts = [3324, 2990, 2602, 2255, 1980, 1618, 1215, 881, 545, 206]
    weights = inverse_frequency(counts)
    assert weights[0] == pytest.approx(0.530, abs=5e-4)
    assert weights[-1] == pytest.approx(8.551, abs=5e-4)


def test_square_root_by_hand():
    # 1/2 and 1 before scaling, by 5 / (4/2 + 1) = 5/3
    np.testing.assert_allclose(square_root_inverse([4, 1]), [5 / 6, 5 / 3], rtol=1e-14)


@settings(deadline=None)
@given(counts=COUNTS)
def test_square_root_is_the_geometric_mean_of_none_and_inverse_frequency(counts):
    ratios = square_root_inverse(counts) ** 2 / inverse_frequency(counts)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-12)


@settings(deadline=None)
@given(counts=st.lists(st.integers(1, 300), min_size=1, max_size=8), beta=st.floats(0.01, 0.999))
def test_effective_number_is_the_sum_of_a_geometric_series(counts, beta):
    numbers = [math.fsum(beta**k for k in range(n)) for n in counts]
    total = math.fsum(n / e for n, e in zip(counts, numbers, strict=True))
    expected = [sum(counts) / total / e for e in numbers]
    np.testing.assert_allclose(effective_number(counts, beta=beta), expected, rtol=1e-9)


@settings(deadline=None)
@given(counts=COUNTS)
def test_beta_leads_from_no_weights_to_inverse_frequency(counts):
    assert (effective_number(counts, beta=0) == 1).all()
    almost = effective_number(counts, beta=1 - 1e-13)
    np.testing.assert_allclose(almost, inverse_frequency(counts), rtol=1e-5)


def test_default_beta_is_that_of_the_mean_count():
    expected = effective_number([190, 10], beta=0.99)
    np.testing.assert_allclose(effective_number([190, 10]), expected, rtol=1e-12)


@settings(deadline=None)
@given(counts=st.lists(st.integers(50, 1000), min_size=2, max_size=8))
def test_default_beta_does_the_same_to_larger_data(counts):
    larger = effective_number(np.array(counts) * 1000)
    np.testing.assert_allclose(effective_number(counts), larger, rtol=0.05)


@pytest.mark.parametrize("beta", [-0.1, 1.0, 1.5, math.nan])
def test_beta_out_of_range_is_rejected(beta):
    with pytest.raises(ValueError, match=r"Argument 'beta' must be in \[0, 1\), got"):
        effective_number([3, 4], beta=beta)


@settings(deadline=None)
@given(counts=COUNTS)
def test_priors_sum_to_one(counts):
    assert np.exp(log_priors(counts)).sum() == pytest.approx(1, rel=1e-12)


def test_margins_by_hand():
    np.testing.assert_allclose(ldam_margins([16, 1, 81]), [0.25, 0.5, 0.5 / 3], rtol=1e-14)


@pytest.mark.parametrize(
    "function", [*WEIGHTINGS.values(), log_priors, ldam_margins, check_class_counts]
)
@pytest.mark.parametrize("counts", [[3, 0, 1], [3, -1], [2, math.nan], [1, math.inf]])
def test_class_without_samples_is_rejected(function, counts):
    with pytest.raises(ValueError, match="Every class needs a training sample, got counts"):
        function(counts)


@pytest.mark.parametrize("counts", [[], [[1, 2], [3, 4]], 3])
def test_counts_are_a_row(counts):
    with pytest.raises(ValueError, match=r"Argument 'counts' must have the shape \(n_classes,\)"):
        check_class_counts(counts)


def test_negative_margin_is_rejected():
    with pytest.raises(ValueError, match="Argument 'max_margin' must be at least 0, got -1"):
        ldam_margins([3, 4], max_margin=-1)
