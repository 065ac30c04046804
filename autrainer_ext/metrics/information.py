"""Information-theoretic metrics for training with the host; higher is better.

The host passes true and predicted labels, encoded or not, but not the number of classes. Unless
`n_classes` is given, the number of distinct labels among both is used. It is too small if a split
or a stratum lacks a class.
"""

import numpy as np
from autrainer.metrics import BaseAscendingMetric
from numpy.typing import ArrayLike

from autrainer_ext.information import (
    Entropies,
    confusion_counts,
    ema,
    entropies,
    nit,
    split_coordinates,
)


class NormalizedMutualInformation(BaseAscendingMetric):
    """Normalised mutual information of true labels X and predictions Y: I(X; Y) / log2 n.

    Range: [0, 1]; 0 for a single class. It is the height in the entropy triangle. The score of the
    same name for clusterings is normalised by the mean of both entropies instead; this metric
    reaches 1 only if all n classes are equally frequent.

    Args:
        n_classes: Number of classes n. Default: number of distinct labels.

    Raises:
        ValueError: If `n_classes` is less than one.

    Source:
        autrainer_ext.information.triangle.
    """

    def __init__(self, n_classes: int | None = None) -> None:
        super().__init__(
            "normalized_mutual_information", _mutual_information, n_classes=_checked(n_classes)
        )


class EMA(BaseAscendingMetric):
    """Entropy-modulated accuracy (EMA) of predictions Y for true labels X: 2^-H(X|Y).

    Range: [1 / n, 1] for n classes; 1 for a single true class. The value does not depend on n.

    Source:
        autrainer_ext.information.perplexities.
    """

    def __init__(self) -> None:
        super().__init__("ema", _ema)


class NIT(BaseAscendingMetric):
    """Normalised information transfer factor (NIT): 2^I(X; Y) / n.

    X are the true labels, Y the predictions. Range: [1 / n, 1].

    Args:
        n_classes: Number of classes n. Default: number of distinct labels.

    Raises:
        ValueError: If `n_classes` is less than one.

    Source:
        autrainer_ext.information.perplexities.
    """

    def __init__(self, n_classes: int | None = None) -> None:
        super().__init__("nit", _nit, n_classes=_checked(n_classes))


def _checked(n_classes: int | None) -> int | None:
    if n_classes is not None and n_classes < 1:
        raise ValueError(f"Argument 'n_classes' must be at least 1, got {n_classes}.")
    return n_classes


def _mutual_information(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int | None) -> float:
    true, _ = split_coordinates(_entropies(y_true, y_pred, n_classes))
    return float(true.mutual_information)


def _ema(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    return float(ema(_entropies(y_true, y_pred)))


def _nit(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int | None) -> float:
    return float(nit(_entropies(y_true, y_pred, n_classes)))


def _entropies(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int | None = None) -> Entropies:
    labels, encoded = np.unique([np.asarray(y_true), np.asarray(y_pred)], return_inverse=True)
    if n_classes is not None and len(labels) > n_classes:
        # not a ValueError: the host would catch it and continue with the worst possible score
        raise RuntimeError(
            f"Argument 'n_classes' is {n_classes}, but the labels contain {len(labels)} classes."
        )
    encoded_true, encoded_pred = encoded.reshape(2, -1)
    return entropies(confusion_counts(encoded_true, encoded_pred, n_classes or len(labels)))
