import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.difficulty.label_noise import (
    class_margins,
    confident_labels,
    detection,
    estimated_precision,
)


def noisy(seed, n_samples=4000, share=0.1, sharpness=4.0, n_classes=5):
    """Calibrated probabilities of a noisy problem, given labels and which of them are wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n_samples)
    logits = rng.normal(size=(n_samples, n_classes))
    logits[np.arange(n_samples), truth] += sharpness
    labels = truth.copy()
    wrong = rng.choice(n_samples, round(share * n_samples), replace=False)
    labels[wrong] = (truth[wrong] + rng.integers(1, n_classes, size=len(wrong))) % n_classes
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels, labels != truth


def test_the_confident_joint_worked_out_by_hand():
    probabilities = np.array(
        [[0.8, 0.2], [0.6, 0.4], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.45, 0.55]]
    )
    labels = np.array([0, 0, 0, 1, 1, 1])
    # thresholds: (0.8 + 0.6 + 0.2) / 3 = 0.533 and (0.6 + 0.9 + 0.55) / 3 = 0.683
    found = confident_labels(probabilities, labels)
    assert found.is_suspected.tolist() == [False, False, True, False, False, False]
    # counts: label 0 [2, 1] of 3, label 1 [0, 1] of 3
    np.testing.assert_allclose(found.joint, [[2 / 6, 1 / 6], [0, 3 / 6]])
    assert found.n_mislabelled == pytest.approx(1)
    np.testing.assert_allclose(found.margin, [0.6, 0.2, -0.6, 0.2, 0.8, 0.1])
    assert found.suggested.tolist() == [0, 0, 1, 1, 1, 1]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_the_joint_keeps_the_shares_of_the_labels(seed, n_classes):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(n_classes), size=40)
    labels = rng.integers(n_classes, size=40)
    joint = confident_labels(probabilities, labels).joint
    np.testing.assert_allclose(joint.sum(axis=1), np.bincount(labels, minlength=n_classes) / 40)
    expected = [
        [row[c] - max(row[j] for j in range(n_classes) if j != c) for c in range(n_classes)]
        for row in probabilities
    ]
    np.testing.assert_allclose(class_margins(probabilities), expected)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_number_and_place_of_planted_mislabels_are_found(share):
    probabilities, labels, is_wrong = noisy(1, share=share)
    found = confident_labels(probabilities, labels)
    assert found.n_mislabelled == pytest.approx(is_wrong.sum(), rel=0.25)
    assert detection(-found.margin, is_wrong)["auroc"] > 0.98


@pytest.mark.parametrize("sharpness", [2.0, 2.5, 4.0])
def test_estimated_precision_is_that_of_planted_mislabels(sharpness):
    probabilities, labels, is_wrong = noisy(2, share=0.08, sharpness=sharpness)
    found = confident_labels(probabilities, labels)
    precision = estimated_precision(probabilities, labels, found)
    order = np.argsort(found.margin)
    assert (np.diff(precision[order]) <= 0).all()
    for k in (50, 200, 320, 640, 1500):
        assert precision[order[k - 1]] == pytest.approx(is_wrong[order[:k]].mean(), abs=0.1)


def test_clean_labels_are_not_suspected():
    probabilities = np.eye(3)[[0, 1, 2, 0]] * 0.9 + 0.1 / 3
    labels = np.array([0, 1, 2, 0])
    found = confident_labels(probabilities, labels)
    assert found.n_mislabelled == 0
    assert estimated_precision(probabilities, labels, found).tolist() == [0, 0, 0, 0]


def test_detection_worked_out_by_hand():
    # wrong: 4, 2; right: 3, 2, 1. Pairs won: 3 of 3, and 1.5 of 3
    found = detection(np.array([4, 2, 3, 2, 1]), np.array([True, True, False, False, False]))
    assert found["auroc"] == pytest.approx(4.5 / 6)
    assert found["precision"] == 0.5
    assert found["auroc_low"] < found["auroc"] < found["auroc_high"]
    perfect = detection(np.arange(20), np.arange(20) >= 15)
    assert (perfect["auroc"], perfect["precision"]) == (1, 1)
    assert perfect["auroc_low"] < 0.9  # five wrong labels do not prove much
    with pytest.raises(ValueError, match="both wrong and right"):
        detection(np.arange(3), np.zeros(3))


def test_the_interval_of_the_auroc_covers():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        wrong, right = rng.normal(1.5, 1, 40), rng.normal(0, 1, 300)
        found = detection(np.concatenate([wrong, right]), np.arange(340) < 40)
        covered.append(found["auroc_low"] <= 0.8556 <= found["auroc_high"])  # Phi(1.5 / sqrt 2)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_impossible_arrays_are_named():
    with pytest.raises(ValueError, match=r"got \(3, 1\)"):
        confident_labels(np.ones((3, 1)), np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match=r"2 integers in \[0, 2\)"):
        confident_labels(np.full((2, 2), 0.5), np.array([0, 2]))
    with pytest.raises(ValueError, match="finite"):
        confident_labels(np.array([[np.nan, 1.0]]), np.array([0]))
