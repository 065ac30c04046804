import numpy as np
import pytest
from scipy.special import expit

from autrainer_ext_plugins.difficulty.by_loss import sample_losses


def test_loss_of_labels_is_the_binary_cross_entropy():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (5, 4)), rng.integers(0, 2, (5, 4)).astype(float)
    p = expit(logits)
    expected = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(sample_losses(logits, labels, "ml-classification"), expected)
    extreme = sample_losses(np.array([[1000.0, -1000.0]]), np.array([[1, 1]]), "ml-classification")
    assert extreme == pytest.approx([500])


def test_loss_of_values_is_the_squared_error():
    losses = sample_losses(np.array([[1.0], [3.0]]), np.array([2.0, 0.0]), "regression")
    assert losses.tolist() == [1.0, 9.0]
