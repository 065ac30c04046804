import numpy as np
import pytest
from scipy.stats import ncx2

from autrainer_ext.adaptation.calibration import expected_calibration_error
from autrainer_ext.evaluation.calibration import calibration_error


def draw(n, gap, seed):
    """Confidences of n samples and whether they are correct; accuracy is confidence minus gap."""
    rng = np.random.default_rng(seed)
    confidence = 0.5 + 0.5 * rng.beta(5, 2, n)
    return confidence, rng.random(n) < confidence - gap


def test_one_bin_by_hand():
    """Eight samples share a bin: gap 0.25, variance of the mean 0.5^2 8 / 7 / 8 = 1 / 28."""
    confidence, is_correct = np.full(8, 0.75), np.arange(8) % 2 == 0
    error, low, high = calibration_error(confidence, is_correct)
    whole, chance = 0.0625, 1 / 28
    assert error == pytest.approx(np.sqrt(whole - chance))
    assert low == 0  # a gap of zero is plausible
    # the limit solves the defining equation: one bin is one squared normal variable
    assert ncx2.cdf(whole / chance, 1, high**2 / chance) == pytest.approx(0.025)


def test_many_samples_give_the_gap_of_the_usual_error():
    confidence, is_correct = draw(100_000, 0.2, seed=0)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    usual = expected_calibration_error(probabilities, np.where(is_correct, 0, 1))
    assert calibration_error(confidence, is_correct)[0] == pytest.approx(usual, abs=0.005)


def test_calibrated_predictions_of_few_samples_have_no_bias_upwards():
    """The usual error of the same predictions is far from zero."""
    squares, usual = [], []
    for seed in range(200):
        confidence, is_correct = draw(100, 0.0, seed)
        error, low, _ = calibration_error(confidence, is_correct)
        squares.append(error)
        probabilities = np.stack([confidence, 1 - confidence], axis=1)
        usual.append(expected_calibration_error(probabilities, np.where(is_correct, 0, 1)))
        assert low <= error
    assert np.median(squares) < 0.03
    assert np.median(usual) > 0.05


@pytest.mark.parametrize(("n", "gap"), [(50, 0.15), (200, 0.05), (200, 0.3), (1000, 0.15)])
def test_intervals_contain_the_true_error(n, gap):
    hits = 0
    for seed in range(200):
        _, low, high = calibration_error(*draw(n, gap, seed))
        hits += low <= gap <= high
    assert 0.91 <= hits / 200 <= 1  # 0.95 within two standard errors and a half


def test_order_of_the_samples_does_not_matter_and_equal_confidences_share_a_bin():
    confidence = np.repeat([0.6, 0.9], 200)
    is_correct = np.arange(400) % 10 < np.repeat([6, 9], 200)
    order = np.argsort(~is_correct)  # correct ones first: sorted by class, for example
    error = calibration_error(confidence, is_correct)[0]
    assert error == 0
    assert calibration_error(confidence[order], is_correct[order])[0] == error


def test_degenerate_input():
    assert all(np.isnan(calibration_error(np.array([0.7]), np.array([True]))))
    assert calibration_error(np.full(30, 1.0), np.ones(30, dtype=bool)) == (0, 0, 0)
    assert calibration_error(np.full(30, 1.0), np.zeros(30, dtype=bool)) == (1, 1, 1)
