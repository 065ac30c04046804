"""Tables of post-hoc logit adjustment over its strength tau."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import log_softmax
from scipy.stats import norm

from autrainer_ext.criterions import adjust_logits
from autrainer_ext.evaluation.calibration import calibration_error
from autrainer_ext.information import confusion_counts, ema, entropies, split_coordinates
from autrainer_ext.runs import RunOutputs

CHOSEN_BY = ("balanced_accuracy", "accuracy", "ema")


def path_table(
    outputs: RunOutputs, counts: np.ndarray, taus: Sequence[float], *, miller_madow: bool
) -> pd.DataFrame:
    """Table of the scores of adjusted logits by tau.

    Args:
        outputs: Outputs of one split.
        counts: Number of training recordings per class, shape (C,).
        taus: Strengths, at least one.
        miller_madow: Whether to correct the information measures for few recordings.

    Returns:
        One row per tau: coordinates of the predictions in the entropy triangle, accuracy, balanced
        accuracy over the classes that occur, EMA, mutual information in bits, the calibration error
        with its interval, and the mean cross-entropy in nats.
    """
    rows = []
    for tau in taus:
        logits = adjust_logits(outputs.outputs.astype(float), counts, tau=tau)
        log_p, predicted = log_softmax(logits, axis=1), logits.argmax(axis=1)
        is_correct = predicted == outputs.targets
        confusion = confusion_counts(outputs.targets, predicted, len(counts))
        measures = entropies(confusion, miller_madow=miller_madow)
        point = split_coordinates(measures)[1]
        error, low, high = calibration_error(np.exp(log_p.max(axis=1)), is_correct)
        present = confusion.sum(axis=1) > 0
        rows.append(
            {
                "tau": float(tau),
                "divergence": float(point.divergence),
                "mutual_information": float(point.mutual_information),
                "variation": float(point.variation),
                "accuracy": is_correct.mean(),
                "balanced_accuracy": (
                    np.diag(confusion)[present] / confusion.sum(axis=1)[present]
                ).mean(),
                "ema": float(ema(measures)),
                "mutual_information_bits": float(measures.mutual_information),
                "calibration_error": error,
                "calibration_error_low": low,
                "calibration_error_high": high,
                "cross_entropy": -log_p[np.arange(len(log_p)), outputs.targets].mean(),
            }
        )
    return pd.DataFrame(rows)


def class_table(outputs: RunOutputs, counts: np.ndarray, tau: float) -> pd.DataFrame:
    """Table of the recall of every class and the information lost about it.

    Args:
        outputs: Outputs of one split.
        counts: Number of training recordings per class, shape (C,).
        tau: Chosen strength.

    Returns:
        One row per class: training recordings, recordings, recall and information lost without and
        with adjustment. The information lost is the part of H(X|Y) due to the recordings of the
        class, mean over them, in bits: what a prediction leaves open about them.
    """
    columns: dict[str, object] = {
        "class": outputs.class_names,
        "training_recordings": counts,
        "recordings": np.bincount(outputs.targets, minlength=len(counts)),
    }
    for name, strength in (("", 0.0), ("_adjusted", tau)):
        predicted = adjust_logits(outputs.outputs.astype(float), counts, tau=strength).argmax(
            axis=1
        )
        confusion = confusion_counts(outputs.targets, predicted, len(counts)).astype(float)
        rows = confusion.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns[f"recall{name}"] = np.diag(confusion) / rows
            surprise = -np.log2(confusion / confusion.sum(axis=0))
            lost = np.where(confusion > 0, confusion * surprise, 0).sum(axis=1)
            columns[f"information_lost{name}"] = lost / rows
    return pd.DataFrame(columns)


def balanced_gain(
    outputs: RunOutputs, counts: np.ndarray, tau: float, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Gain in balanced accuracy by the adjustment, with its interval over recordings.

    Args:
        outputs: Outputs of one split.
        counts: Number of training recordings per class, shape (C,).
        tau: Strength.
        confidence: Nominal coverage of the interval, in (0, 1).

    Returns:
        Gain and the limits of its normal interval: the same recordings are judged with and without
        adjustment. The limits are nan if a class has a single recording.
    """
    logits = outputs.outputs.astype(float)
    before = logits.argmax(axis=1) == outputs.targets
    after = adjust_logits(logits, counts, tau=tau).argmax(axis=1) == outputs.targets
    gains = after.astype(float) - before
    groups = [gains[outputs.targets == label] for label in np.unique(outputs.targets)]
    mean = float(np.mean([group.mean() for group in groups]))
    variance = (
        sum(group.var(ddof=1) / len(group) if len(group) > 1 else np.nan for group in groups)
        / len(groups) ** 2
    )
    half = float(norm.ppf((1 + confidence) / 2) * np.sqrt(variance))
    return mean, mean - half, mean + half
