"""Mixtures of models: grids of concentrations, weights by marginal likelihood, draws of models.

The concentration of a Dirichlet distribution says how close its draws are to its mean; a draw with
infinite concentration is the mean itself. Weights of models are tempered: the likelihood enters
with the power 0.6, because the true distribution need not be one of the models.
"""

import numpy as np

TEMPER = 0.6
AT_THE_MEAN = 0.35  # prior weight of an infinite concentration
LARGE = 1e8  # stands for an infinite concentration in likelihoods


def concentrations(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grid of concentrations that ends in infinity.

    Args:
        values: Finite concentrations, shape (G,).

    Returns:
        Concentrations and the logarithms of their prior weights, both of shape (G + 1,).

    Example:
        >>> grid, log_prior = concentrations(np.array([1.0, 4.0]))
        >>> grid.tolist(), np.exp(log_prior).round(3).tolist()
        ([1.0, 4.0, inf], [0.325, 0.325, 0.35])
    """
    weights = np.append(np.full(len(values), (1 - AT_THE_MEAN) / len(values)), AT_THE_MEAN)
    return np.append(values, np.inf), np.log(weights)


def mixture_weights(log_weights: np.ndarray, power: float = 1.0) -> np.ndarray:
    """Weights of models that sum to one.

    Args:
        log_weights: Logarithms of prior weight times marginal likelihood, shape (G,).
        power: Power to which the weights are raised.

    Returns:
        Weights, shape (G,).

    Example:
        >>> mixture_weights(np.log([1.0, 3.0])).round(2).tolist()
        [0.25, 0.75]
    """
    weights = np.exp(power * (log_weights - log_weights.max()))
    return weights / weights.sum()


def draw_models(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw models of a mixture.

    Args:
        weights: Weights of the models, shape (G,).
        size: Number of draws.
        rng: Random number generator.

    Returns:
        Numbers of the models, shape (size,).

    Example:
        >>> draw_models(np.array([0.0, 1.0]), 3, np.random.default_rng(0)).tolist()
        [1, 1, 1]
    """
    cumulated = np.cumsum(weights)
    places = np.searchsorted(cumulated, rng.random(size) * cumulated[-1], side="right")
    return places.clip(max=len(weights) - 1)


def sum_to_one(values: np.ndarray) -> np.ndarray:
    """Divide the last dimension by its sum.

    Args:
        values: Values that are not negative, shape (..., K).

    Returns:
        Shares, shape (..., K); even where all values are zero.

    Example:
        >>> sum_to_one(np.array([[1.0, 3.0], [0.0, 0.0]])).tolist()
        [[0.25, 0.75], [0.5, 0.5]]
    """
    total = values.sum(axis=-1, keepdims=True)
    if (total == 0).any():
        values = np.where(total == 0, 1.0, values)
        total = values.sum(axis=-1, keepdims=True)
    return values / total
