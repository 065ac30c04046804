"""Values of segments from the answers of a model to coalitions, with their standard errors.

    coalitions -> answers, as many as the errors need -> weighted least squares -> values, errors

The standard error is that of the sampling of coalitions: the sandwich estimator of weighted least
squares, with a pair of complements as one observation. It is zero where all coalitions were
evaluated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.stats import spearmanr

from .coalitions import Coalitions

_FIRST = 512  # coalitions before the error is looked at
SIGNIFICANT = 1.96  # standard errors

Solution = tuple[torch.Tensor, torch.Tensor]
Solver = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Solution]


@dataclass(frozen=True)
class Estimate:
    """Attributions of one clip.

    Attributes:
        attributions: Shape (1, channels, frames, mel_bins).
        errors: Standard errors of the attributions, of the same shape; None for methods that do
            not sample coalitions.
        n_segments: Number of segments that are sounding; silent ones have the value 0.
        n_samples: Number of coalitions that were evaluated.
        agreement: Spearman correlation between the values from two halves of the coalitions; 1 if
            all coalitions were evaluated, nan for fewer than two segments.
    """

    attributions: torch.Tensor
    errors: torch.Tensor | None = None
    n_segments: int | None = None
    n_samples: int | None = None
    agreement: float = float("nan")

    @property
    def significant(self) -> torch.Tensor:
        """Attributions with zeros where they are within 1.96 standard errors of zero."""
        if self.errors is None:
            return self.attributions
        is_clear = self.attributions.abs() > SIGNIFICANT * self.errors
        return self.attributions.where(is_clear, 0.0)

    @property
    def relative_error(self) -> float:
        """Root mean square of the errors over that of the attributions; nan without errors."""
        if self.errors is None:
            return float("nan")
        return float(self.errors.square().mean().sqrt() / self.attributions.square().mean().sqrt())


def estimate(
    answer: Callable[[torch.Tensor], torch.Tensor],
    coalitions: Coalitions,
    solve: Solver,
    *,
    target_error: float,
) -> tuple[torch.Tensor, torch.Tensor, int, float]:
    """Evaluate coalitions until the errors are small, and solve for the values.

    The first 512 coalitions are evaluated, then twice as many, and so on, until the root mean
    square of the standard errors is below `target_error` standard deviations of the values.

    Args:
        answer: Maps coalitions, shape (K, segments), to scores of the model, shape (K,), float64.
        coalitions: The most that are evaluated.
        solve: Maps kept segments (K, segments) as float64, answers and weights to values and
            standard errors, each of shape (segments,).
        target_error: Accepted error.

    Returns:
        Values, standard errors, number of evaluated coalitions, and the correlation between the
        values of two halves.

    Example:
        >>> from .coalitions import lime_coalitions
        >>> drawn = lime_coalitions(2, 64, kernel_width=0.25, seed=0)
        >>> def solve(kept, answers, weights):
        ...     return ridge(kept, answers, weights, strength=1e-9)
        >>> values, errors, n, agreement = estimate(
        ...     lambda kept: kept @ torch.tensor([2.0, 3.0]).double(), drawn, solve, target_error=1
        ... )
        >>> values.numpy().round(3).tolist(), n
        ([2.0, 3.0], 4)
    """
    answers = torch.zeros(0, dtype=torch.float64)
    size = len(coalitions) if coalitions.is_complete else min(_FIRST, len(coalitions))
    while True:
        answers = torch.cat([answers, answer(coalitions.kept[len(answers) : size].double())])
        kept, weights = coalitions.kept[:size].double(), coalitions.weights[:size]
        values, errors = solve(kept, answers, weights)
        if coalitions.is_complete:
            agreement = 1.0 if len(values) > 1 else float("nan")
            return values, torch.zeros_like(errors), size, agreement
        accepted = target_error * values.std(unbiased=False)
        if size == len(coalitions) or errors.square().mean().sqrt() <= accepted:
            return values, errors, size, _agreement(kept, answers, weights, solve)
        size = min(2 * size, len(coalitions))


def _agreement(
    kept: torch.Tensor, answers: torch.Tensor, weights: torch.Tensor, solve: Solver
) -> float:
    """Spearman correlation between the values from every other pair and from the rest."""
    if len(kept) < 4:
        return float("nan")
    is_first = torch.arange(len(kept)) // 2 % 2 == 0
    halves = [solve(kept[part], answers[part], weights[part])[0] for part in (is_first, ~is_first)]
    if any(bool((half == half[0]).all()) for half in halves):
        return float("nan")
    return float(spearmanr(*(half.numpy() for half in halves)).statistic)


def ridge(
    kept: torch.Tensor, answers: torch.Tensor, weights: torch.Tensor, *, strength: float
) -> Solution:
    """Weighted ridge regression without a penalty on the intercept.

    Args:
        kept: Kept segments, shape (K, segments), float64, in pairs.
        answers: Shape (K,).
        weights: Shape (K,).
        strength: Penalty on squared coefficients.

    Returns:
        Coefficients and their standard errors, each of shape (segments,).

    Example:
        >>> kept = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).double()
        >>> values, _ = ridge(kept, kept.sum(1), torch.ones(4).double(), strength=0.0)
        >>> values.numpy().round(6).tolist()
        [1.0, 1.0]
    """
    total = weights.sum()
    kept = kept - (weights @ kept) / total
    answers = answers - (weights @ answers) / total
    weighted = kept * weights[:, None]
    gram = weighted.T @ kept + strength * torch.eye(kept.shape[1], dtype=kept.dtype)
    values = torch.linalg.solve(gram, weighted.T @ answers)
    covariance = _sandwich(weighted * (answers - kept @ values)[:, None], torch.linalg.pinv(gram))
    return values, covariance.diag().clamp(min=0).sqrt()


def constrained(
    kept: torch.Tensor, gains: torch.Tensor, weights: torch.Tensor, *, total: torch.Tensor
) -> Solution:
    """Weighted least squares without intercept whose coefficients sum to `total`.

    The last coefficient is the total minus the sum of the others.

    Args:
        kept: Kept segments, shape (K, segments), float64, in pairs.
        gains: Answers minus that of the empty coalition, shape (K,).
        weights: Shape (K,).
        total: Answer of the whole clip minus that of the empty coalition.

    Returns:
        Coefficients and their standard errors, each of shape (segments,).

    Example:
        >>> kept = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
        >>> gains, weights = torch.tensor([2.0, 3.0]).double(), torch.ones(2).double()
        >>> constrained(kept, gains, weights, total=torch.tensor(5.0))[0].numpy().round(6).tolist()
        [2.0, 3.0]
    """
    last = kept[:, -1]
    root = weights.sqrt()
    design = (kept[:, :-1] - last[:, None]) * root[:, None]
    outcome = (gains - last * total) * root
    free = torch.linalg.pinv(design) @ outcome
    scores = design * (outcome - design @ free)[:, None]
    covariance = _sandwich(scores, torch.linalg.pinv(design.T @ design))
    errors = torch.cat([covariance.diag(), covariance.sum().reshape(1)]).clamp(min=0).sqrt()
    return torch.cat([free, (total - free.sum()).reshape(1)]), errors


def _sandwich(scores: torch.Tensor, inverse: torch.Tensor) -> torch.Tensor:
    """Covariance of regression coefficients, a pair of rows being one observation."""
    pairs = scores.reshape(-1, 2, scores.shape[1]).sum(dim=1)
    n_pairs, n_values = pairs.shape
    scale = n_pairs / (n_pairs - n_values) if n_pairs > n_values else torch.inf
    return inverse @ (pairs.T @ pairs) @ inverse * scale
