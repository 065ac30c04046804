"""Difficulty measures per sample from the outputs of many checkpoints.

checkpoints of a run, one by one -> RunDifficulty -> pool_runs -> SampleDifficulty

Outputs are logits, shape (N, C), of clean samples from a network in evaluation mode. A checkpoint
is correct for a sample if the class of the sample has the largest logit (the first one of equal
logits). Only sums per sample are kept, so memory does not grow with the number of checkpoints.
Samples keep their order. The results are bit-identical for any order of the runs.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from autrainer_ext.errors import unknown_name

AVERAGES = ("micro", "macro")


@dataclass(frozen=True)
class RunDifficulty:
    """Difficulty measures of one run per sample; arrays have shape (N,).

    Attributes:
        iterations: Iterations of the checkpoints, ascending.
        hits: Number of correct checkpoints.
        probability: Sum over checkpoints of the probability of the true class.
        squared_probability: Sum over checkpoints of its square.
        margin: Sum over checkpoints of the logit of the true class minus the largest other logit.
        first_learnt: First iteration from which every checkpoint is correct; infinite if the last
            checkpoint is wrong.
        forgetting_events: Number of correct checkpoints that are followed by a wrong one.
        loss: Cross-entropy of the best checkpoint, in nats.
    """

    iterations: tuple[int, ...]
    hits: np.ndarray
    probability: np.ndarray
    squared_probability: np.ndarray
    margin: np.ndarray
    first_learnt: np.ndarray
    forgetting_events: np.ndarray
    loss: np.ndarray

    @property
    def n_checkpoints(self) -> int:
        """Number of checkpoints."""
        return len(self.iterations)


@dataclass(frozen=True)
class SampleDifficulty:
    """Difficulty measures of an ensemble of runs per sample; arrays have shape (N,).

    Attributes:
        hits: Number of correct checkpoints of all runs.
        count: Number of checkpoints of all runs.
        cumulative_accuracy: Share of correct checkpoints, in [0, 1].
        cumulative_probability: Mean probability of the true class, in [0, 1].
        first_learnt: Share of the checkpoints of a run before the first one from which all are
            correct, mean over runs, in [0, 1]: 0 if all are correct, 1 if the last is wrong.
        forgetting_events: Number of correct checkpoints followed by a wrong one, mean over the runs
            with a correct checkpoint; infinite if no run has one.
        never_learnt: Share of the runs without a correct checkpoint, in [0, 1].
        confidence: Probability of the true class, mean over the checkpoints of a run, then over
            runs.
        variability: Standard deviation over the checkpoints of a run of the probability of the
            true class, mean over runs, in [0, 0.5].
        loss: Cross-entropy of the best checkpoint in nats, mean over runs.
        margin: Mean logit of the true class minus the largest other logit.
    """

    hits: np.ndarray
    count: np.ndarray
    cumulative_accuracy: np.ndarray
    cumulative_probability: np.ndarray
    first_learnt: np.ndarray
    forgetting_events: np.ndarray
    never_learnt: np.ndarray
    confidence: np.ndarray
    variability: np.ndarray
    loss: np.ndarray
    margin: np.ndarray


def measure_run(
    checkpoints: Iterable[tuple[int, np.ndarray]], targets: np.ndarray, *, best: int
) -> RunDifficulty:
    """Difficulty measures of one run per sample, from the outputs of its checkpoints.

    Args:
        checkpoints: Pairs of iteration and logits, shape (N, C), in ascending order of iterations.
        targets: Class index of every sample, shape (N,), in [0, C).
        best: Iteration of the best checkpoint, one of those in `checkpoints`.

    Returns:
        Sums over the checkpoints. With a single class all checkpoints are correct, probabilities
        are 1 and margins are 0.

    Raises:
        ValueError: If there is no checkpoint or no sample, `best` is not an iteration of a
            checkpoint, iterations do not ascend, or logits are not finite or do not match the
            targets.

    Example:
        >>> logits = np.array([[2.0, 0.0], [1.0, 0.0]])  # both samples predicted as class 0
        >>> measure_run([(1, logits), (2, -logits)], np.array([0, 1]), best=2).hits.tolist()
        [1, 1]
    """
    targets = np.asarray(targets)
    n_samples = len(targets)
    if n_samples == 0:
        raise ValueError("There are no samples.")
    iterations: list[int] = []
    hits, forgetting, wrong_until = (np.zeros(n_samples, dtype=np.int64) for _ in range(3))
    probability, squared, margin = (np.zeros(n_samples) for _ in range(3))
    was_correct = np.zeros(n_samples, dtype=bool)
    loss = None
    for iteration, outputs in checkpoints:
        if iterations and iteration <= iterations[-1]:
            raise ValueError(
                f"Iterations must ascend, got iteration {iteration} after {iterations[-1]}."
            )
        _check(outputs, targets, iteration)
        correct = outputs.argmax(axis=1) == targets
        log_probability, current_margin = _log_probability_and_margin(outputs, targets)
        iterations.append(iteration)
        hits += correct
        forgetting += was_correct & ~correct
        wrong_until[~correct] = len(iterations)
        was_correct = correct
        current = np.exp(log_probability)
        probability += current
        squared += current**2
        margin += current_margin
        if iteration == best:
            loss = -log_probability
    if not iterations:
        raise ValueError("There are no checkpoints.")
    if loss is None:
        raise ValueError(f"The best iteration, {best}, is not among the checkpoints {iterations}.")
    learnt_at = np.array([*iterations, np.inf])
    return RunDifficulty(
        iterations=tuple(iterations),
        hits=hits,
        probability=probability,
        squared_probability=squared,
        margin=margin,
        first_learnt=learnt_at[wrong_until],
        forgetting_events=forgetting,
        loss=loss,
    )


def pool_runs(runs: Sequence[RunDifficulty], *, average: str = "micro") -> SampleDifficulty:
    """Difficulty measures of an ensemble of runs per sample.

    Cumulative accuracy, cumulative probability and margin are averaged according to `average`.
    The other measures are defined per run and averaged over runs. If all runs have the same number
    of checkpoints, both averages are equal, and cumulative probability equals confidence.

    Args:
        runs: Measures of runs on the same samples.
        average: "micro" averages over all checkpoints, so that longer runs weigh more; "macro"
            averages over the checkpoints of a run, then over runs.

    Returns:
        Measures of the ensemble. Cumulative accuracies that are equal as fractions are equal as
        floating-point numbers, so that ties are kept.

    Raises:
        ValueError: If there are no runs, their numbers of samples differ or `average` is unknown.

    Source:
        Cumulative accuracy and probability: Jiang et al. (2021), Characterizing Structural
        Regularities of Labeled Data in Overparameterized Models, section 4 (learning speed).
        arXiv 2002.03206. First-learnt iteration: Wu et al. (2021), When Do Curricula Work?
        arXiv 2012.03107. Forgetting events: Toneva et al. (2019), An Empirical Study of Example
        Forgetting, definition 2.1. arXiv 1812.05159. Confidence and variability: Swayamdipta et
        al. (2020), Dataset Cartography, section 2. arXiv 2009.10795.

    Example:
        >>> logits = np.array([[2.0, 0.0], [1.0, 0.0]])  # both samples predicted as class 0
        >>> run = measure_run([(1, logits), (2, logits)], np.array([0, 1]), best=2)
        >>> pool_runs([run, run]).cumulative_accuracy.tolist()
        [1.0, 0.0]
    """
    if average not in AVERAGES:
        raise unknown_name("average", average, AVERAGES)
    if not runs:
        raise ValueError("There are no runs to pool.")
    sizes = sorted({len(run.hits) for run in runs})
    if len(sizes) > 1:
        raise ValueError(f"Runs have different numbers of samples: {sizes}.")
    n_checkpoints = [run.n_checkpoints for run in runs]
    weights = [1 / sum(n_checkpoints)] * len(runs)
    if average == "macro":
        weights = [1 / (len(runs) * n) for n in n_checkpoints]
    confidences = [run.probability / run.n_checkpoints for run in runs]
    variances = [
        run.squared_probability / run.n_checkpoints - confidence**2
        for run, confidence in zip(runs, confidences, strict=True)
    ]
    is_learnt = np.stack([run.hits > 0 for run in runs])
    needed = [np.searchsorted(run.iterations, run.first_learnt) / run.n_checkpoints for run in runs]
    return SampleDifficulty(
        hits=np.sum([run.hits for run in runs], axis=0),
        count=np.full(sizes[0], sum(n_checkpoints)),
        cumulative_accuracy=cumulative_accuracy(
            np.stack([run.hits for run in runs]), n_checkpoints, average=average
        ),
        cumulative_probability=_sum(
            [run.probability * w for run, w in zip(runs, weights, strict=True)]
        ),
        first_learnt=_sum(needed) / len(runs),
        forgetting_events=np.divide(
            np.sum([run.forgetting_events for run in runs], axis=0),
            is_learnt.sum(axis=0),
            out=np.full(len(runs[0].hits), np.inf),
            where=is_learnt.any(axis=0),
        ),
        never_learnt=1 - is_learnt.sum(axis=0) / len(runs),
        confidence=_sum(confidences) / len(runs),
        # rounding errors may make a variance of zero slightly negative
        variability=_sum([np.sqrt(np.maximum(v, 0)) for v in variances]) / len(runs),
        loss=_sum([run.loss for run in runs]) / len(runs),
        margin=_sum([run.margin * w for run, w in zip(runs, weights, strict=True)]),
    )


def cumulative_accuracy(
    hits: np.ndarray, n_checkpoints: Sequence[int], *, average: str = "micro"
) -> np.ndarray:
    """Share of correct checkpoints of every sample.

    Args:
        hits: Number of correct checkpoints per run and sample, shape (R, N).
        n_checkpoints: Number of checkpoints of every run, length R.
        average: "micro" or "macro", as in `pool_runs`.

    Returns:
        Cumulative accuracies in [0, 1], shape (N,). Equal fractions give equal floating-point
        numbers, since they are computed with integers over a common denominator.

    Example:
        >>> cumulative_accuracy(np.array([[0, 2, 4], [1, 1, 2]]), [4, 2]).tolist()
        [0.16666666666666666, 0.5, 1.0]
    """
    if average == "micro":
        return hits.sum(axis=0) / sum(n_checkpoints)
    common = math.lcm(*n_checkpoints)
    # Python integers: the common denominator of long runs may not fit into 64 bits
    total = sum(
        row.astype(object) * (common // n) for row, n in zip(hits, n_checkpoints, strict=True)
    )
    return (total / (common * len(n_checkpoints))).astype(float)


def class_means(values: np.ndarray, targets: np.ndarray, *, n_classes: int) -> np.ndarray:
    """Mean of a measure over the samples of each class.

    Args:
        values: Measure of every sample, shape (N,).
        targets: Class index of every sample, shape (N,).
        n_classes: Number of classes C.

    Returns:
        Means, shape (C,); nan for a class without samples.

    Example:
        >>> class_means(np.array([0.5, 1.0, 0.2]), np.array([0, 0, 1]), n_classes=3).tolist()
        [0.75, 0.2, nan]
    """
    counts = np.bincount(targets, minlength=n_classes)
    sums = np.bincount(targets, weights=values, minlength=n_classes)
    return np.divide(sums, counts, out=np.full(n_classes, np.nan), where=counts > 0)


def _check(outputs: np.ndarray, targets: np.ndarray, iteration: int) -> None:
    if outputs.ndim != 2 or len(outputs) != len(targets):
        raise ValueError(
            f"Outputs of iteration {iteration} have shape {outputs.shape}, expected "
            f"({len(targets)} samples, classes)."
        )
    if targets.min() < 0 or targets.max() >= outputs.shape[1]:
        raise ValueError(
            f"Targets must be in [0, {outputs.shape[1]}), got {targets.min()} to {targets.max()}."
        )
    if not np.isfinite(outputs).all():
        raise ValueError(f"Outputs of iteration {iteration} are not all finite.")


def _log_probability_and_margin(
    outputs: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log probability of the true class, and its margin over the largest other class.

    The margin is the same in logits as in log probabilities: the normalisation cancels.
    """
    rows = np.arange(len(targets))
    logits = outputs.astype(np.float64)
    true = logits[rows, targets]
    largest = logits.max(axis=1)
    log_probability = true - largest - np.log(np.exp(logits - largest[:, None]).sum(axis=1))
    if logits.shape[1] == 1:
        return log_probability, np.zeros(len(targets))
    logits[rows, targets] = -np.inf
    return log_probability, true - logits.max(axis=1)


def _sum(values: Sequence[np.ndarray]) -> np.ndarray:
    """Sum over runs, bit-identical for any order of the runs."""
    return np.sort(np.stack(values), axis=0).sum(axis=0)
