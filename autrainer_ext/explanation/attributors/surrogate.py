"""Interactions between segments, learnt from the answers of a model to coalitions.

    answers of pairs -> odd and even halves -> kernel ridge -> predictions, residuals

A coalition is coded with signs: 1 for a kept segment, -1 for a removed one. The half difference of
the answers of a pair of complements is an odd function of the signs, the half sum an even one.
Linear, quadratic and cubic functions of the signs predict most of both, and what they predict needs
no sampling: only the residuals do. Values of the predictions plus values of the residuals are those
of a regression estimator, whose bias vanishes with the number of pairs. Standard errors come from
residuals of fits without the pair, since those of the fit itself are too small.

Source:
    Witter, Liu and Musco (2025), Regression-adjusted Monte Carlo estimators for Shapley values and
    probabilistic values. Here the regression is a kernel ridge regression in closed form.
"""

from dataclasses import dataclass

import torch

_LINEAR = 1e6  # weight of linear functions: hardly penalised, so that linear models are met
_CUBIC = 0.3  # weight of cubic functions
_PENALTY = 0.03
_EXACT = 1e-9  # penalty of a half that must be met
_MOST_PREDICTED = 4096  # halves at a time, which bounds the memory
_MOST_PAIRS = 1024  # of the fit, whose time grows with the third power


@dataclass(frozen=True)
class Fit:
    """A function of signs that is odd or even.

    Attributes:
        signs: Signs of the coalitions of the fit, shape (P, segments), float64.
        weights: Weights of the kernel functions, shape (P,).
        is_odd: Whether the function is odd, linear plus cubic, or even, constant plus quadratic.
    """

    signs: torch.Tensor
    weights: torch.Tensor
    is_odd: bool

    def __call__(self, signs: torch.Tensor) -> torch.Tensor:
        """Predicted halves for signs of the shape (K, segments); shape (K,)."""
        parts = signs.split(_MOST_PREDICTED)
        return torch.cat([_kernel(p, self.signs, is_odd=self.is_odd) @ self.weights for p in parts])

    def shapley_values(self) -> torch.Tensor:
        """Shapley values of an odd function, in closed form, shape (segments,).

        A product of three signs is shared evenly by its segments.
        """
        n = self.signs.shape[1]
        others = self.signs.sum(dim=1, keepdim=True) - self.signs
        products = (others.square() - (n - 1)) / 2  # of two signs of other segments, summed
        linear = _LINEAR / n + _CUBIC * (3 * n - 2) / n**3
        per_sign = 2 * linear + 2 / 3 * products * _CUBIC * 6 / n**3
        return (self.weights[:, None] * self.signs * per_sign).sum(dim=0)


def signs_of(kept: torch.Tensor) -> torch.Tensor:
    """Signs of the first coalition of every pair.

    Args:
        kept: Kept segments, shape (K, segments), in pairs of complements.

    Returns:
        Shape (K / 2, segments), float64.

    Example:
        >>> signs_of(torch.tensor([[1, 0], [0, 1]])).tolist()
        [[1.0, -1.0]]
    """
    return 2 * kept[0::2].double() - 1


def fit(
    signs: torch.Tensor, halves: torch.Tensor, *, is_odd: bool, first_is_exact: bool = False
) -> tuple[Fit, torch.Tensor]:
    """Fit a function of signs by kernel ridge regression.

    Args:
        signs: Shape (P, segments), float64.
        halves: Half differences, or half sums, of the answers of pairs, shape (P,).
        is_odd: Whether they are differences.
        first_is_exact: Whether the first half must be met.

    Returns:
        Fit to at most 1024 pairs, and for every pair the residual of a fit without it, shape (P,).

    Example:
        >>> signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]]).double()
        >>> found, residuals = fit(signs, torch.tensor([5.0, 1.0]).double(), is_odd=True)
        >>> found(signs).numpy().round(1).tolist()
        [5.0, 1.0]
    """
    some = signs[:_MOST_PAIRS]
    penalty = torch.full((len(some),), _PENALTY, dtype=signs.dtype)
    if first_is_exact:
        penalty[0] = _EXACT
    inverse = torch.linalg.inv(_kernel(some, some, is_odd=is_odd) + penalty.diag())
    found = Fit(some, inverse @ halves[: len(some)], is_odd)
    without = found.weights / inverse.diag()  # leave-one-out residuals of ridge regression
    return found, torch.cat([without, halves[len(some) :] - found(signs[len(some) :])])


def _kernel(first: torch.Tensor, second: torch.Tensor, *, is_odd: bool) -> torch.Tensor:
    similarity = first @ second.T / first.shape[1]
    return _LINEAR * similarity + _CUBIC * similarity**3 if is_odd else 1 + similarity.square()
