"""Margins of a table: posterior draws, and nearly unbiased entropies that need no model."""

import numpy as np
from scipy.special import digamma, gammaln

from .mixtures import draw_models, mixture_weights, sum_to_one
from .quantities import QUANTITIES


def draw_margin(counts: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Posterior draws of the shares of classes.

    The prior is Dirichlet(a / k, ..., a / k) with a on a grid from k / 4 to 4 k.

    Args:
        counts: Number of samples per class, shape (k,).
        size: Number of draws.
        rng: Random number generator.

    Returns:
        Shares, shape (size, k).

    Example:
        >>> draws = draw_margin(np.array([900, 100]), 50, np.random.default_rng(0))
        >>> draws.mean(axis=0).round(1).tolist()
        [0.9, 0.1]
    """
    k, n = len(counts), counts.sum()
    grid = k * 2.0 ** np.arange(-2, 3)
    per_class = grid[:, None] / k
    found = (gammaln(per_class + counts) - gammaln(per_class)).sum(axis=1)
    found += gammaln(grid) - gammaln(grid + n)
    chosen = grid[draw_models(mixture_weights(found), size, rng)]
    return sum_to_one(rng.standard_gamma(chosen[:, None] / k + counts))


def grassberger_entropy(counts: np.ndarray) -> float:
    """Entropy in bits, nearly unbiased from about one sample per class.

    For counts that add up to n, a bias of 1 / (2 n) nats is left.

    Args:
        counts: Number of samples per class, shape (k,), at least one sample.

    Returns:
        Entropy in bits; it may exceed log2 k.

    Source:
        Grassberger (2003), Entropy estimates from insufficient samplings, equation 35.
        arXiv:physics/0307138.

    Example:
        >>> round(grassberger_entropy(np.array([301, 100, 100])), 2)
        1.37
    """
    n = counts[counts > 0]
    sign = np.where(n % 2 == 0, 1.0, -1.0)
    g = digamma(n) + sign / 2 * (digamma((n + 1) / 2) - digamma(n / 2))
    return float((np.log(n.sum()) - (n * g).sum() / n.sum()) / np.log(2))


def correct_margins(
    draws: np.ndarray, counts: np.ndarray, columns: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Replace what draws say about the margins by what is known without a model of the table.

    The divergence of the predictions takes the posterior of its own margin, at the ranks of the
    joint one. Both divergences are then moved so that their means are Grassberger's estimates,
    which may lie beyond the range: posteriors lie within it, and sums of quantities that are each
    kept within their range are biased. What moves the divergence of the true labels moves the
    mutual information as far as the two go together among the draws.

    Args:
        draws: Posterior draws of all quantities, shape (n_draws, 12).
        counts: Counts of the classes in the model, shape (k, k).
        columns: Posterior draws of the shares of the predicted classes, shape (n_draws, k).
        n_classes: Number of classes, at least k.

    Returns:
        Corrected draws, shape (n_draws, 12), and how far the divergences were moved, shape (12,),
        zero for all other quantities.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> columns, counts = draw_margin(np.array([6, 4]), 9, rng), np.array([[5, 0], [1, 4]])
        >>> corrected, moves = correct_margins(rng.random((9, 12)), counts, columns, 2)
        >>> corrected.shape, np.flatnonzero(moves).tolist()
        ((9, 12), [4, 5, 6])
    """
    at, draws, h_uniform = QUANTITIES.index, draws.copy(), np.log2(n_classes)
    shared, margins = at("mutual_information"), [at("divergence_true"), at("divergence_pred")]
    joint = draws[:, margins]
    unbiased = [1 - grassberger_entropy(counts.sum(axis=side)) / h_uniform for side in (1, 0)]
    moved = unbiased[0] - joint[:, 0].mean()
    covariance = np.cov(joint[:, 0], draws[:, shared])
    together = moved * covariance[0, 1] / max(covariance[0, 0], 1e-12)
    together = float(np.clip(together, -abs(moved), abs(moved)))
    logarithms = np.log2(np.maximum(columns, 1e-300))
    own = np.sort(1 + (columns * logarithms).sum(axis=1) / h_uniform)
    coupled = np.empty_like(own)
    coupled[np.argsort(joint[:, 1], kind="stable")] = own
    moves = np.zeros(len(QUANTITIES))
    moves[margins] = moved, unbiased[1] - own.mean()
    moves[at("divergence_joint")] = moves[margins].mean()
    draws[:, margins] = np.stack([joint[:, 0], coupled], axis=1) + moves[margins]
    draws[:, shared] += together
    draws[:, at("variation_true")] -= moved + together
    for view in ("true", "pred"):
        draws[:, at(f"x_{view}")] = draws[:, at(f"divergence_{view}")] + draws[:, shared] / 2
    for name in ("variation", "divergence", "x"):
        both = draws[:, [at(f"{name}_true"), at(f"{name}_pred")]]
        draws[:, at(f"{name}_joint")] = both.mean(axis=1)
    return draws, moves
