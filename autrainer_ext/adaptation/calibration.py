"""Calibration: agreement of confidence and accuracy."""

import numpy as np


def expected_calibration_error(
    probabilities: np.ndarray, targets: np.ndarray, *, n_bins: int = 15
) -> float:
    """Mean absolute difference of confidence and accuracy over bins of equal width.

    ECE = sum_b n_b / N |accuracy_b - confidence_b|, where the confidence is the largest
    probability. Bins exclude their lower and include their upper limit; empty bins count nothing.

    Args:
        probabilities: Predicted probabilities, shape (N, C), rows sum to one; N at least 1.
        targets: Targets, shape (N,).
        n_bins: Number of bins in [0, 1]. Default: 15.

    Returns:
        Calibration error in [0, 1]; 0 for calibrated predictions.

    Raises:
        ValueError: If there is no sample or the shapes do not match.

    Source:
        Guo et al. (2017), On calibration of modern neural networks, equation 3.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.3, 0.7]])  # 80 % confident, 50 % correct
        >>> round(expected_calibration_error(p, np.array([0, 0]), n_bins=1), 6)
        0.3
    """
    if probabilities.ndim != 2 or probabilities.shape[0] != len(targets) or len(targets) == 0:
        raise ValueError(
            f"Expected N probabilities of C classes and N targets, got {probabilities.shape} and "
            f"{np.shape(targets)}."
        )
    confidence = probabilities.max(axis=1)
    is_correct = probabilities.argmax(axis=1) == targets
    bins = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, weights=is_correct - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(targets))
