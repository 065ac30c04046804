"""Entropies of true labels X and predicted labels Y, in bits, from confusion counts.

Probabilities are relative frequencies (the plug-in estimate); empty cells contribute nothing.
With the correction of Miller and Madow, entropies grow by (K - 1) / (2 n ln 2), K the number
of cells, rows or columns that are not empty and n the number of samples. Identities survive it,
since each of them is linear in H(X), H(Y) and H(X, Y). Bounds do not: an entropy may exceed log2
of the number of classes, and the mutual information of labels that are nearly independent may be
negative.

Source:
    Shannon (1948), A mathematical theory of communication, section 6.
    Miller (1955), Note on the bias of information estimates.
    Meila (2007), Comparing clusterings, section 3: variation of information.
    10.1016/j.jmva.2006.11.013.
"""

from dataclasses import dataclass

import numpy as np

from .confusion import check_counts


@dataclass(frozen=True)
class Entropies:
    """Entropies of confusion tables in bits; every array has the leading shape of the tables.

    Attributes:
        h_true: H(X).
        h_pred: H(Y).
        h_joint: H(X, Y).
        h_true_given_pred: H(X|Y) = H(X, Y) - H(Y).
        h_pred_given_true: H(Y|X) = H(X, Y) - H(X).
        mutual_information: I(X; Y) = H(X) + H(Y) - H(X, Y).
        variation_of_information: H(X|Y) + H(Y|X).
        n_true: Number of rows, the classes without a sample included.
        n_pred: Number of columns, likewise.
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


def entropy_bits(counts: np.ndarray, *, miller_madow: bool = False) -> np.ndarray:
    """Entropy of the distribution in the last dimension.

    H = - sum_i p_i log2 p_i = log2 n - sum_i c_i log2 c_i / n, with p_i = c_i / n.

    Args:
        counts: Counts, not negative, shape (..., K). Zeros alone have no entropy: nan.
        miller_madow: Whether to correct the bias of small samples; needs counts, not shares.

    Returns:
        Bits, shape (...); in [0, log2 K] without the correction.
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


def entropies(counts: np.ndarray, *, miller_madow: bool = False) -> Entropies:
    """All entropies of confusion tables.

    Args:
        counts: Counts, shape (..., true classes, predicted classes), square or not. Classes
            without a true or without a predicted sample are welcome.
        miller_madow: Whether to correct the three plain entropies for small samples; the other
            quantities are made from them.

    Returns:
        The entropies; none is negative without the correction.

    Raises:
        ValueError: If a table is empty or has an entry that is negative or not finite.

    Example:
        >>> float(entropies([[1, 0], [0, 1]]).mutual_information)
        1.0
    """
    counts = check_counts(counts)
    *leading, n_true, n_pred = counts.shape
    tables = (
        np.einsum("...ij->...i", counts),
        np.einsum("...ij->...j", counts),
        counts.reshape(*leading, n_true * n_pred),
    )
    h_true, h_pred, h_joint = (entropy_bits(table, miller_madow=miller_madow) for table in tables)
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
    """The same with zero for what can only be a rounding error."""
    return np.where(np.abs(bits) < 1e-13, 0.0, bits)
