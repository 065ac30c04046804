"""Entropies of true labels X and predicted labels Y, in bits, from confusion matrices.

Probabilities are relative frequencies (the plug-in estimate); empty cells contribute nothing.
The Miller-Madow correction adds (K - 1) / (2 n ln 2) to an entropy, where K is the number of
cells, rows or columns that are not empty and n is the number of samples. Identities between the
entropies still hold, since they are linear in H(X), H(Y) and H(X, Y). Bounds do not: a corrected
entropy may exceed log2 of the number of classes, and the corrected mutual information of nearly
independent labels may be negative.

Source:
    Shannon (1948), A mathematical theory of communication, section 6.
    Miller (1955), Note on the bias of information estimates.
    Meila (2007), Comparing clusterings, section 3: variation of information.
    10.1016/j.jmva.2006.11.013.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .confusion import check_counts


@dataclass(frozen=True)
class Entropies:
    """Entropies of confusion matrices in bits.

    Every array has the leading shape of the confusion matrices.

    Attributes:
        h_true: H(X).
        h_pred: H(Y).
        h_joint: H(X, Y).
        h_true_given_pred: H(X|Y) = H(X, Y) - H(Y).
        h_pred_given_true: H(Y|X) = H(X, Y) - H(X).
        mutual_information: I(X; Y) = H(X) + H(Y) - H(X, Y).
        variation_of_information: H(X|Y) + H(Y|X).
        n_true: Number of rows: true classes, including those without a sample.
        n_pred: Number of columns: predicted classes, including those never predicted.
    """

    h_true: np.ndarray
    h_pred: np.ndarray
    h_joint: np.ndarray
    h_true_given_pred: np.ndarray
    h_pred_given_true: np.ndarray
    mutual_information: np.ndarray
    variation_of_information: np.ndarray
    n_true: int
    n_pred: int


def entropy_bits(counts: ArrayLike, *, miller_madow: bool = False) -> np.ndarray:
    """Entropy of the distribution in the last dimension, in bits.

    H = - sum_i p_i log2 p_i = log2 n - sum_i c_i log2 c_i / n, with p_i = c_i / n.

    Args:
        counts: Counts, not negative, shape (..., K).
        miller_madow: Whether to correct the bias of small samples; requires counts, not shares.

    Returns:
        Entropies in bits, shape (...), in [0, log2 K] without the correction; nan if all counts
        are zero.

    Example:
        >>> float(entropy_bits([2, 1, 1]))
        1.5
    """
    counts = np.asarray(counts, dtype=np.float64)
    n = np.einsum("...i->...", counts)
    logarithms = np.maximum(counts, np.finfo(np.float64).tiny)  # so that 0 log 0 = 0
    np.log2(logarithms, out=logarithms)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.log2(n) - np.einsum("...i,...i->...", counts, logarithms) / n
        if miller_madow:
            bits += (np.count_nonzero(counts, axis=-1) - 1) / (2 * n * np.log(2))
    return without_rounding(bits)


def entropies(counts: ArrayLike, *, miller_madow: bool = False) -> Entropies:
    """Entropies, conditional entropies and mutual information of confusion matrices.

    Args:
        counts: Confusion matrices, shape (..., true classes, predicted classes), square or not.
            Empty rows and columns are allowed.
        miller_madow: Whether to correct H(X), H(Y) and H(X, Y) for small samples; the other
            quantities are computed from them.

    Returns:
        The entropies. Without the correction none is negative.

    Raises:
        ValueError: If a confusion matrix sums to zero or has a negative or infinite entry.

    Example:
        >>> float(entropies([[1, 0], [0, 1]]).mutual_information)
        1.0
    """
    counts = check_counts(counts)
    *leading, n_true, n_pred = counts.shape
    marginals_and_joint = (
        np.einsum("...ij->...i", counts),
        np.einsum("...ij->...j", counts),
        counts.reshape(*leading, n_true * n_pred),
    )
    h_true, h_pred, h_joint = (
        entropy_bits(each, miller_madow=miller_madow) for each in marginals_and_joint
    )
    h_true_given_pred = without_rounding(h_joint - h_pred)
    h_pred_given_true = without_rounding(h_joint - h_true)
    return Entropies(
        h_true=h_true,
        h_pred=h_pred,
        h_joint=h_joint,
        h_true_given_pred=h_true_given_pred,
        h_pred_given_true=h_pred_given_true,
        mutual_information=without_rounding(h_true + h_pred - h_joint),
        variation_of_information=h_true_given_pred + h_pred_given_true,
        n_true=n_true,
        n_pred=n_pred,
    )


def without_rounding(bits: np.ndarray) -> np.ndarray:
    """Replace values below 1e-13, which are rounding errors, by zero.

    Args:
        bits: Entropies or their differences, any shape.

    Returns:
        Values of the same shape.

    Example:
        >>> without_rounding(np.array([1.0, -2e-16])).tolist()
        [1.0, 0.0]
    """
    return np.where(np.abs(bits) < 1e-13, 0.0, bits)
