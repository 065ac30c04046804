"""Wrong labels: confident learning, their number and the precision of a ranked list.

Rows of a joint table are given labels, columns are true ones. Probabilities must come from networks
that were not trained on the sample (out of sample): a network that has seen a wrong label may have
learnt it. The area under the margin, in contrast, is measured in training: it is the mean margin of
`autrainer_ext.difficulty.SampleDifficulty` over all checkpoints.

Source:
    Northcutt, Jiang and Chuang (2021), Confident learning: estimating uncertainty in dataset
    labels, section 3. arXiv 1911.00068. Pleiss et al. (2020), Identifying mislabeled data using
    the area under the margin ranking, section 3. arXiv 2001.10528.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from autrainer_ext.intervals import jeffreys_interval

_FIRST_PLACE = 30  # of a list that bounds the number of wrong labels: shorter ones vary too much


@dataclass(frozen=True)
class ConfidentLabels:
    """Result of confident learning for N samples of C classes.

    Attributes:
        joint: Estimated shares of the pairs of given and true label, shape (C, C); sums to 1.
        suggested: Most probable class of every sample, shape (N,).
        is_suspected: Whether a sample is confidently of another class than its label, shape (N,).
        margin: Probability of the label minus that of the most probable other class, in [-1, 1],
            shape (N,); the lower, the more suspicious.
    """

    joint: np.ndarray
    suggested: np.ndarray
    is_suspected: np.ndarray
    margin: np.ndarray

    @property
    def n_mislabelled(self) -> float:
        """Estimated number of wrong labels."""
        return float(len(self.margin) * (1 - np.trace(self.joint)))


def confident_labels(probabilities: np.ndarray, labels: np.ndarray) -> ConfidentLabels:
    """Find labels that contradict confident predictions, and estimate how many are wrong.

    A sample counts for the most probable of those classes whose probability is at least the mean
    probability of the class among samples with its label. The counts of every label are scaled to
    the number of samples with it.

    Args:
        probabilities: Out-of-sample probabilities, shape (N, C) with at least two classes.
        labels: Given labels, shape (N,), in [0, C).

    Returns:
        Estimates. If no sample of a label is counted, all its samples are taken as correct.

    Raises:
        ValueError: If shapes or labels do not match, or probabilities are not finite.

    Example:
        >>> sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.1, 0.9]])
        >>> found = confident_labels(sure, np.array([0, 0, 0, 1]))
        >>> found.is_suspected.tolist(), round(found.n_mislabelled, 3)
        ([False, False, True, False], 1.0)
    """
    probabilities, labels = np.asarray(probabilities, dtype=float), np.asarray(labels)
    margins = class_margins(probabilities)
    n_samples, n_classes = probabilities.shape
    if labels.shape != (n_samples,) or labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"Labels must be {n_samples} integers in [0, {n_classes}).")
    given = np.eye(n_classes)[labels]
    sizes = given.sum(axis=0)
    thresholds = np.full(n_classes, np.inf)
    np.divide((given * probabilities).sum(axis=0), sizes, out=thresholds, where=sizes > 0)
    confident = np.where(probabilities >= thresholds, probabilities, -np.inf)
    chosen, is_counted = confident.argmax(axis=1), np.isfinite(confident.max(axis=1))
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (labels[is_counted], chosen[is_counted]), 1)
    is_empty = counts.sum(axis=1) == 0
    counts[is_empty, is_empty.nonzero()[0]] = 1
    joint = counts * (sizes / counts.sum(axis=1))[:, None] / n_samples
    return ConfidentLabels(
        joint=joint,
        suggested=probabilities.argmax(axis=1),
        is_suspected=is_counted & (chosen != labels),
        margin=margins[np.arange(n_samples), labels],
    )


def class_margins(probabilities: np.ndarray) -> np.ndarray:
    """Margin that every class would have as the label: its probability minus the largest other.

    Args:
        probabilities: Probabilities, shape (N, C) with at least one sample and two classes.

    Returns:
        Margins in [-1, 1], shape (N, C).

    Raises:
        ValueError: If the shape is wrong or values are not finite.

    Example:
        >>> class_margins(np.array([[0.5, 0.25, 0.25]])).tolist()
        [[0.25, -0.25, -0.25]]
    """
    if probabilities.ndim != 2 or probabilities.shape[0] < 1 or probabilities.shape[1] < 2:
        raise ValueError(
            f"Probabilities must have the shape (samples, classes), got {probabilities.shape}."
        )
    if not np.isfinite(probabilities).all():
        raise ValueError("Probabilities are not all finite.")
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    is_first = np.arange(probabilities.shape[1]) == probabilities.argmax(axis=1)[:, None]
    return probabilities - np.where(is_first, second[:, None], first[:, None])


def estimated_precision(
    probabilities: np.ndarray, labels: np.ndarray, found: ConfidentLabels
) -> np.ndarray:
    """Estimated share of wrong labels among a sample and all more suspicious ones.

    The margins of wrong labels are known: they are the margins that the labels a sample does not
    have would have, weighted by how often confident learning finds each confusion. If the n wrong
    labels have the share F(k) of these margins up to that of place k of the list, n F(k) of the
    first k labels are wrong. Since this is at most k, n is at most the smallest k / F(k). The
    smaller one of this bound and the number of confident learning is used: the latter is too large
    for networks that often err. It is assumed that the networks were not trained on the sample
    and that most labels are right.

    Args:
        probabilities: Out-of-sample probabilities, shape (N, C).
        labels: Given labels, shape (N,).
        found: Result of `confident_labels`.

    Returns:
        Precisions in [0, 1], shape (N,), not increasing along the list: each is the largest of its
        place and all later ones. 0 if no label is suspected.

    Example:
        >>> sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.1, 0.9]])
        >>> labels = np.array([0, 0, 0, 1])
        >>> estimated_precision(sure, labels, confident_labels(sure, labels)).round(2).tolist()
        [0.25, 0.5, 1.0, 0.25]
    """
    n_samples, n_classes = probabilities.shape
    confusions = found.joint * (1 - np.eye(n_classes))
    if confusions.sum() == 0:
        return np.zeros(n_samples)
    # the true class of most samples is their label; a wrong label of class j would be row j
    weights = confusions[:, labels].T
    decoys, weights = class_margins(probabilities).ravel(), weights.ravel()
    order = np.argsort(decoys)
    cumulative = np.concatenate([[0], np.cumsum(weights[order])]) / weights.sum()
    place = rankdata(found.margin, method="max")
    share = cumulative[np.searchsorted(decoys[order], found.margin, side="right")]
    is_counted = (share > 0) & (place >= _FIRST_PLACE)
    bound = (place[is_counted] / share[is_counted]).min(initial=np.inf)
    precision = np.minimum(min(found.n_mislabelled, bound) * share / place, 1)
    from_last = np.argsort(-found.margin, kind="stable")
    result = np.empty(n_samples)
    result[from_last] = np.maximum.accumulate(precision[from_last])
    return result


def detection(
    suspicion: np.ndarray, is_wrong: np.ndarray, *, confidence: float = 0.95
) -> dict[str, float]:
    """How well a measure finds wrong labels that are known.

    Args:
        suspicion: Measure of every sample, higher where a label is more suspicious, shape (N,).
        is_wrong: Whether the label is wrong, shape (N,).
        confidence: Nominal coverage of the intervals, in (0, 1).

    Returns:
        `auroc` (probability that a wrong label is more suspicious than a right one, ties count
        half) and `precision` (share of wrong labels among as many of the most suspicious samples
        as there are wrong labels; ties in the order of the samples), each in [0, 1] and with
        `_low` and `_high`. Jeffreys intervals; for the AUROC with the number of samples that gives
        the variance of DeLong.

    Raises:
        ValueError: If no or all labels are wrong, or measures are nan.

    Source:
        DeLong et al. (1988), Comparing the areas under two or more correlated receiver operating
        characteristic curves. DOI 10.2307/2531595.

    Example:
        >>> found = detection(np.array([3.0, 1.0, 2.0, 0.0]), np.array([True, False, True, False]))
        >>> found["auroc"], found["precision"]
        (1.0, 1.0)
    """
    suspicion, is_wrong = np.asarray(suspicion, dtype=float), np.asarray(is_wrong, dtype=bool)
    if is_wrong.all() or not is_wrong.any() or np.isnan(suspicion).any():
        raise ValueError("Detection requires measures of both wrong and right labels.")
    wrong, right = suspicion[is_wrong], suspicion[~is_wrong]
    m, n = len(wrong), len(right)
    ranks = rankdata(np.concatenate([wrong, right]))
    above = (ranks[:m] - rankdata(wrong)) / n  # share of the right labels below each wrong one
    below = 1 - (ranks[m:] - rankdata(right)) / m
    auroc = float(above.mean())
    variance = (above.var(ddof=1) if m > 1 else 0) / m + (below.var(ddof=1) if n > 1 else 0) / n
    effective = auroc * (1 - auroc) / variance if 0 < auroc < 1 and variance > 0 else min(m, n)
    first = np.argsort(-suspicion, kind="stable")[:m]
    hits = int(is_wrong[first].sum())
    result = {"auroc": auroc, "precision": hits / m}
    for name, limits in (
        ("auroc", jeffreys_interval(auroc * effective, effective, confidence=confidence)),
        ("precision", jeffreys_interval(hits, m, confidence=confidence)),
    ):
        result[f"{name}_low"], result[f"{name}_high"] = limits
    return result
