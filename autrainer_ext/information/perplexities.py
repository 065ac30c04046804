"""Perplexities (entropies as effective numbers of classes) and the scores EMA and NIT.

The mean information transfer mu = 2^I(X; Y) is the factor by which a classifier reduces the
effective number of classes: from k_X = 2^H(X) without the prediction to k_X|Y = k_X / mu with it.
For n classes and without the correction of small samples, 1 / n <= NIT <= EMA <= 1. NIT equals
EMA if all classes have the same number of true samples.

Source:
    Valverde-Albacete and Pelaez-Moreno (2014), 100% classification accuracy considered harmful:
    the normalized information transfer factor explains the accuracy paradox.
    10.1371/journal.pone.0084217.
"""

from dataclasses import dataclass

import numpy as np

from .entropies import Entropies


@dataclass(frozen=True)
class Perplexities:
    """Effective numbers of classes; all arrays have the same shape.

    Attributes:
        true: k_X = 2^H(X).
        pred: k_Y = 2^H(Y).
        true_given_pred: k_X|Y = 2^H(X|Y), the true classes that remain after the prediction.
        pred_given_true: k_Y|X = 2^H(Y|X).
        transfer: mu = 2^I(X; Y).
    """

    true: np.ndarray
    pred: np.ndarray
    true_given_pred: np.ndarray
    pred_given_true: np.ndarray
    transfer: np.ndarray


def perplexities(entropies: Entropies) -> Perplexities:
    """Perplexities, 2^H, of entropies.

    Args:
        entropies: Entropies of confusion matrices.

    Returns:
        Perplexities, at least 1 without the correction of small samples.

    Example:
        >>> from autrainer_ext.information import entropies
        >>> float(perplexities(entropies([[2, 2], [2, 2]])).true)
        2.0
    """
    return Perplexities(
        true=np.exp2(entropies.h_true),
        pred=np.exp2(entropies.h_pred),
        true_given_pred=np.exp2(entropies.h_true_given_pred),
        pred_given_true=np.exp2(entropies.h_pred_given_true),
        transfer=np.exp2(entropies.mutual_information),
    )


def ema(entropies: Entropies) -> np.ndarray:
    """Entropy-modulated accuracy (EMA), 2^-H(X|Y).

    Args:
        entropies: Entropies of confusion matrices.

    Returns:
        Values in [1 / k_X, 1] with k_X = 2^H(X). The value is 1 if the prediction determines the
        true class, even if the two always differ, and if there is a single true class.

    Example:
        >>> from autrainer_ext.information import entropies
        >>> float(ema(entropies([[2, 2], [2, 2]]))), float(ema(entropies([[0, 4], [4, 0]])))
        (0.5, 1.0)
    """
    return np.exp2(-entropies.h_true_given_pred)


def nit(entropies: Entropies) -> np.ndarray:
    """Normalised information transfer factor (NIT), 2^I(X; Y) / n.

    Args:
        entropies: Entropies of confusion matrices.

    Returns:
        Values in [1 / n, 1] with n the number of true classes; 1 for a single class. With the
        correction of small samples values below 1 / n are possible.

    Example:
        >>> from autrainer_ext.information import entropies
        >>> float(nit(entropies([[2, 2], [2, 2]]))), float(nit(entropies([[4, 0], [0, 4]])))
        (0.5, 1.0)
    """
    return np.exp2(entropies.mutual_information) / entropies.n_true
