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
from .surrogate import fit, signs_of

_STEP = 512  # fewest coalitions between two looks at the error
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

    Coalitions are evaluated in steps of 512, or of a quarter of all so far, until the root mean
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
    size = len(coalitions) if coalitions.is_complete else min(_STEP, len(coalitions))
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
        size = min(size + max(_STEP, size // 8 * 2), len(coalitions))


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


def local_weights(
    kept: torch.Tensor,
    answers: torch.Tensor,
    weights: torch.Tensor,
    *,
    strength: float,
    others: Coalitions,
) -> Solution:
    """Weights of a linear model: those of a surrogate plus those of its residuals.

    Args:
        kept: Kept segments, shape (K, segments), float64, in pairs.
        answers: Shape (K,).
        weights: Shape (K,).
        strength: Penalty on squared weights per coalition.
        others: Many coalitions of the same distribution, for which the surrogate answers. If these
            are all there are, the segments are so few that no surrogate is used.

    Returns:
        Weights and their standard errors, each of shape (segments,).

    Example:
        >>> from .coalitions import lime_coalitions
        >>> drawn, others = (lime_coalitions(12, n, kernel_width=0.25, seed=0) for n in (512, 2048))
        >>> kept, truth = drawn.kept.double(), torch.arange(12).double()
        >>> values, _ = local_weights(
        ...     kept, kept @ truth, drawn.weights, strength=1e-9, others=others
        ... )
        >>> bool(torch.allclose(values, truth, atol=0.1))
        True
    """
    if others.is_complete:
        return ridge(kept, answers, weights, strength=strength * len(kept))
    every, signs = others.kept.double(), signs_of(kept)
    predicted, residuals, without = torch.zeros(len(every)), answers, torch.zeros(len(kept))
    for is_odd in (True, False):
        halves = (answers[0::2] + (-1 if is_odd else 1) * answers[1::2]) / 2
        surrogate, left = fit(signs, halves, is_odd=is_odd)
        predicted = predicted + _paired(surrogate(signs_of(every)), is_odd=is_odd)
        residuals = residuals - _paired(surrogate(signs), is_odd=is_odd)
        without = without + _paired(left, is_odd=is_odd)
    known, _ = ridge(every, predicted, others.weights, strength=strength * len(every))
    rest, _ = ridge(kept, residuals, weights, strength=strength * len(kept))
    _, errors = ridge(kept, without, weights, strength=strength * len(kept))
    return known + rest, errors


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


def shapley(
    kept: torch.Tensor,
    answers: torch.Tensor,
    weights: torch.Tensor,
    *,
    total: torch.Tensor,
    is_complete: bool = False,
) -> Solution:
    """Shapley values that sum to `total`: those of a surrogate plus those of its residuals.

    If all coalitions are given, the values are exact, and no surrogate is needed.

    Args:
        kept: Kept segments, shape (K, segments), float64, in pairs.
        answers: Shape (K,).
        weights: Shape (K,).
        total: Answer of the whole clip minus that of the empty coalition.
        is_complete: Whether these are all coalitions but the whole and the empty one.

    Returns:
        Values and their standard errors, each of shape (segments,).

    Example:
        >>> kept = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
        >>> answers, weights = torch.tensor([2.0, 3.0]).double(), torch.ones(2).double()
        >>> values, _ = shapley(kept, answers, weights, total=torch.tensor(5.0))
        >>> values.numpy().round(6).tolist()
        [2.0, 3.0]
    """
    odd, n_segments = (answers[0::2] - answers[1::2]) / 2, kept.shape[1]
    if is_complete:
        values = (total / n_segments).expand(n_segments)
        residuals = without = odd - total * (kept[0::2].mean(dim=1) - 0.5)
    else:
        signs = torch.cat([torch.ones_like(kept[:1]), signs_of(kept)])
        halves = torch.cat([total.reshape(1) / 2, odd])
        surrogate, without = fit(signs, halves, is_odd=True, first_is_exact=True)
        without, residuals = without[1:], odd - surrogate(signs[1:])
        values = surrogate.shapley_values()
    values = values + constrained(kept, _paired(residuals), weights)[0]
    errors = constrained(kept, _paired(without), weights)[1]
    return values + (total - values.sum()) / n_segments, errors  # the fit is exact up to rounding


def constrained(kept: torch.Tensor, answers: torch.Tensor, weights: torch.Tensor) -> Solution:
    """Weighted least squares without intercept whose coefficients sum to zero.

    The last coefficient is minus the sum of the others.

    Args:
        kept: Kept segments, shape (K, segments), float64, in pairs.
        answers: Shape (K,).
        weights: Shape (K,).

    Returns:
        Coefficients and their standard errors, each of shape (segments,).

    Example:
        >>> kept = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
        >>> answers, weights = torch.tensor([2.0, -2.0]).double(), torch.ones(2).double()
        >>> constrained(kept, answers, weights)[0].numpy().round(6).tolist()
        [2.0, -2.0]
    """
    root = weights.sqrt()
    design = (kept[:, :-1] - kept[:, -1:]) * root[:, None]
    outcome = answers * root
    inverse = torch.linalg.pinv(design.T @ design)
    free = inverse @ (design.T @ outcome)
    covariance = _sandwich(design * (outcome - design @ free)[:, None], inverse)
    errors = torch.cat([covariance.diag(), covariance.sum().reshape(1)]).clamp(min=0).sqrt()
    return torch.cat([free, -free.sum().reshape(1)]), errors


def _paired(halves: torch.Tensor, *, is_odd: bool = True) -> torch.Tensor:
    """Answers of pairs of complements from their half differences, or half sums."""
    return torch.stack([halves, -halves if is_odd else halves], dim=1).flatten()


def _sandwich(scores: torch.Tensor, inverse: torch.Tensor) -> torch.Tensor:
    """Covariance of regression coefficients, a pair of rows being one observation."""
    pairs = scores.reshape(-1, 2, scores.shape[1]).sum(dim=1)
    n_pairs, n_values = pairs.shape
    scale = n_pairs / (n_pairs - n_values) if n_pairs > n_values else torch.inf
    return inverse @ (pairs.T @ pairs) @ inverse * scale
