"""Measures of sample difficulty from the outputs of checkpoints.

checkpoints of a run, one by one -> RunDifficulty -> pool_runs -> SampleDifficulty

Outputs are logits, shape (N, C), of clean samples under a network in evaluation mode. A sample
is right where its class has the largest logit, the first one among equals. Only sums per sample
are kept, so that memory does not grow with the number of checkpoints. Samples keep their order;
the order of runs changes no bit of the result.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

AVERAGES = ("micro", "macro")


@dataclass(frozen=True)
class RunDifficulty:
    """How one run fared on every sample; arrays have shape (N,).

    Attributes:
        iterations: Iterations of the checkpoints, ascending.
        hits: Checkpoints that are right.
        probability: Sum over checkpoints of the probability of the true class.
        squared_probability: Sum of the squares of it.
        margin: Sum over checkpoints of the logit of the true class minus the largest other one.
        first_learnt: Iteration from which on every checkpoint is right; infinite if the last
            one is wrong.
        forgetting_events: How often a right checkpoint is followed by a wrong one.
        loss: Cross-entropy in nats at the best checkpoint.
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
    """How an ensemble of runs fared on every sample; arrays have shape (N,).

    Attributes:
        hits: Right checkpoints of all runs.
        count: Checkpoints of all runs.
        cumulative_accuracy: Share of right checkpoints, in [0, 1].
        cumulative_probability: Mean probability of the true class, in [0, 1].
        first_learnt: Share of its checkpoints a run needs before it is right for good, mean over
            runs, in [0, 1]: 0 if right from the first checkpoint on, 1 if the last is wrong.
        forgetting_events: Changes from right to wrong, mean over runs.
        confidence: Mean over runs of the mean probability of the true class of a run.
        variability: Mean over runs of its standard deviation over the checkpoints of a run,
            in [0, 0.5].
        loss: Cross-entropy in nats at the best checkpoint, mean over runs.
        margin: Mean logit of the true class minus the largest other one.
    """

    hits: np.ndarray
    count: np.ndarray
    cumulative_accuracy: np.ndarray
    cumulative_probability: np.ndarray
    first_learnt: np.ndarray
    forgetting_events: np.ndarray
    confidence: np.ndarray
    variability: np.ndarray
    loss: np.ndarray
    margin: np.ndarray


def measure_run(
    checkpoints: Iterable[tuple[int, np.ndarray]], targets: np.ndarray, *, best: int
) -> RunDifficulty:
    """Measure how a run fares on every sample, checkpoint by checkpoint.

    Args:
        checkpoints: Iteration and logits, shape (N, C), of every checkpoint, iterations ascending.
        targets: Class of every sample, shape (N,), in [0, C).
        best: Iteration of the best checkpoint, one of those given.

    Returns:
        Sums over the checkpoints. With a single class there is nothing to confuse: everything is
        right, probabilities are 1 and margins 0.

    Raises:
        ValueError: If there is no checkpoint or no sample, the best one is not among them,
            iterations do not ascend, or logits are not finite or do not fit the targets.
    """
    targets = np.asarray(targets)
    n_samples = len(targets)
    if n_samples == 0:
        raise ValueError("there are no samples.")
    iterations: list[int] = []
    hits, forgetting, wrong_until = (np.zeros(n_samples, dtype=np.int64) for _ in range(3))
    probability, squared, margin = (np.zeros(n_samples) for _ in range(3))
    was_right = np.zeros(n_samples, dtype=bool)
    loss = None
    for iteration, outputs in checkpoints:
        if iterations and iteration <= iterations[-1]:
            raise ValueError(f"iteration {iteration} comes after {iterations[-1]}.")
        _check(outputs, targets, iteration)
        right = outputs.argmax(axis=1) == targets
        log_probability, lead = _log_probability_and_margin(outputs, targets)
        iterations.append(iteration)
        hits += right
        forgetting += was_right & ~right
        wrong_until[~right] = len(iterations)
        was_right = right
        current = np.exp(log_probability)
        probability += current
        squared += current**2
        margin += lead
        if iteration == best:
            loss = -log_probability
    if not iterations:
        raise ValueError("there are no checkpoints.")
    if loss is None:
        raise ValueError(f"the best iteration, {best}, is not among the checkpoints {iterations}.")
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
    """Pool the runs of an ensemble.

    Cumulative accuracy, cumulative probability and margin follow `average`; the other measures
    belong to a run and are averaged over runs. With runs of equal length both averages are the
    same, and cumulative probability equals confidence.

    Args:
        runs: Runs over the same samples.
        average: "micro" pools checkpoints, so that longer runs weigh more; "macro" averages
            over runs.

    Returns:
        Measures of the ensemble. Cumulative accuracies that are equal as fractions are equal as
        numbers, so that ties stay ties.

    Raises:
        ValueError: If there are no runs, their samples differ in number or `average` is unknown.

    Source:
        Cumulative accuracy and probability: Jiang et al. (2021), Characterizing Structural
        Regularities of Labeled Data in Overparameterized Models, section 4 (learning speed).
        arXiv 2002.03206. First-learnt iteration: Wu et al. (2021), When Do Curricula Work?
        arXiv 2012.03107. Forgetting events: Toneva et al. (2019), An Empirical Study of Example
        Forgetting, definition 2.1. arXiv 1812.05159. Confidence and variability: Swayamdipta et
        al. (2020), Dataset Cartography, section 2. arXiv 2009.10795.
    """
    if average not in AVERAGES:
        raise ValueError(f"average must be 'micro' or 'macro', got '{average}'.")
    if not runs:
        raise ValueError("there are no runs to pool.")
    sizes = sorted({len(run.hits) for run in runs})
    if len(sizes) > 1:
        raise ValueError(f"runs have different numbers of samples: {sizes}.")
    n_checkpoints = [run.n_checkpoints for run in runs]
    weights = [1 / sum(n_checkpoints)] * len(runs)
    if average == "macro":
        weights = [1 / (len(runs) * n) for n in n_checkpoints]
    confidences = [run.probability / run.n_checkpoints for run in runs]
    variances = [
        run.squared_probability / run.n_checkpoints - confidence**2
        for run, confidence in zip(runs, confidences, strict=True)
    ]
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
        forgetting_events=np.sum([run.forgetting_events for run in runs], axis=0) / len(runs),
        confidence=_sum(confidences) / len(runs),
        # rounding may put a variance of zero a little below it
        variability=_sum([np.sqrt(np.maximum(v, 0)) for v in variances]) / len(runs),
        loss=_sum([run.loss for run in runs]) / len(runs),
        margin=_sum([run.margin * w for run, w in zip(runs, weights, strict=True)]),
    )


def cumulative_accuracy(
    hits: np.ndarray, n_checkpoints: Sequence[int], *, average: str = "micro"
) -> np.ndarray:
    """Share of right checkpoints of every sample.

    Args:
        hits: Right checkpoints by run, shape (R, N).
        n_checkpoints: Checkpoints of every run, length R.
        average: "micro" or "macro", as in `pool_runs`.

    Returns:
        Shape (N,), in [0, 1]. Equal fractions are equal numbers: sums are whole numbers over a
        common denominator.
    """
    if average == "micro":
        return hits.sum(axis=0) / sum(n_checkpoints)
    common = math.lcm(*n_checkpoints)
    # Python's whole numbers: the common denominator of long runs may not fit into 64 bits
    total = sum(
        row.astype(object) * (common // n) for row, n in zip(hits, n_checkpoints, strict=True)
    )
    return (total / (common * len(n_checkpoints))).astype(float)


def class_means(values: np.ndarray, targets: np.ndarray, *, n_classes: int) -> np.ndarray:
    """Mean of a measure over the samples of each class.

    Args:
        values: Measure of every sample, shape (N,).
        targets: Class of every sample, shape (N,).
        n_classes: Number of classes C.

    Returns:
        Shape (C,); nan for a class without samples.
    """
    counts = np.bincount(targets, minlength=n_classes)
    sums = np.bincount(targets, weights=values, minlength=n_classes)
    return np.divide(sums, counts, out=np.full(n_classes, np.nan), where=counts > 0)


def _check(outputs: np.ndarray, targets: np.ndarray, iteration: int) -> None:
    if outputs.ndim != 2 or len(outputs) != len(targets):
        raise ValueError(
            f"outputs of iteration {iteration} have shape {outputs.shape}, expected "
            f"({len(targets)} samples, classes)."
        )
    if targets.min() < 0 or targets.max() >= outputs.shape[1]:
        raise ValueError(f"targets must be in [0, {outputs.shape[1]}).")
    if not np.isfinite(outputs).all():
        raise ValueError(f"outputs of iteration {iteration} are not all finite.")


def _log_probability_and_margin(
    outputs: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the probability of the true class and its lead over the next class.

    The lead is the same in logits as in logarithms of probabilities: what normalises them
    cancels.
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
    """Sum over runs whose last bit does not depend on their order."""
    return np.sort(np.stack(values), axis=0).sum(axis=0)
