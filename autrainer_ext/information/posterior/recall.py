"""Models of the share of each class that is predicted correctly, and draws from their posterior.

    recall of class i ~ Beta(a m_i, a (1 - m_i)),   logit m_i = level + z_i

The offset z_i is zero, or all or half of the log odds of the class among the mistakes, or of the
class among the rows: classifiers that prefer frequent classes recall those more often.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, logit

from .mixtures import LARGE, TEMPER, concentrations, draw_models, mixture_weights

_PRIOR = np.array([0.5, 0.2, 0.1, 0.1, 0.1])  # of the offsets
_BY_MISTAKES = ((1, 1.0), (2, 0.5))  # offsets that follow the mistakes, and their power


@dataclass(frozen=True)
class RecallModels:
    """Models of the recalls: V kinds of offsets and G concentrations.

    Attributes:
        hits: Correct predictions per class, shape (k,).
        misses: Wrong predictions per class, shape (k,).
        offsets: Offsets of the logits, shape (V, k).
        a: Concentrations, shape (G,).
        level: Estimated mean recall, shape (G,).
        intercept: Level on the logit scale, shape (V, G).
        informative: Number of samples that the mean recall is known from, shape (G,).
        log_weight: Logarithm of prior weight times marginal likelihood, shape (V, G).
    """

    hits: np.ndarray
    misses: np.ndarray
    offsets: np.ndarray
    a: np.ndarray
    level: np.ndarray
    intercept: np.ndarray
    informative: np.ndarray
    log_weight: np.ndarray


def fit_recall(hits: np.ndarray, misses: np.ndarray, mistakes: np.ndarray | None) -> RecallModels:
    """Fit the level of every model and weight all models by their marginal likelihood.

    Args:
        hits: Correct predictions per class, shape (k,).
        misses: Wrong predictions per class, shape (k,).
        mistakes: Share of each class among the mistakes, shape (k,); None with two classes.

    Returns:
        The models.

    Example:
        >>> models = fit_recall(np.array([8, 6]), np.array([2, 4]), None)
        >>> models.level.round(2)[-1]
        0.69
    """
    n = hits + misses
    by_row = logit((n + 0.5) / (n.sum() + 0.5 * len(n)))
    by_mistakes = by_row if mistakes is None else logit(mistakes)
    offsets = np.stack([0 * by_row, by_mistakes, by_mistakes / 2, by_row, by_row / 2])
    kept = n > 0
    z, h, m, n = offsets[:, None, kept], hits[kept], misses[kept], n[kept]
    grid, a_prior = concentrations(2.0 ** np.arange(9))
    a = np.where(np.isfinite(grid), grid, LARGE)[:, None]
    weight = 1 / (1 / n + 1 / (a + 1))
    informative = weight.sum(axis=1)
    level = ((weight * h / n).sum(axis=1) + 0.5) / (informative + 1)
    intercept = _fit_intercept(z, weight / informative[:, None], level)
    mean = expit(intercept[..., None] + z).clip(1e-9, 1 - 1e-9)
    found = gammaln(a * mean + h) - gammaln(a * mean) + gammaln(a * (1 - mean) + m)
    found = (found - gammaln(a * (1 - mean)) + gammaln(a) - gammaln(a + n)).sum(axis=-1)
    found += _cost_of_level(informative, level) + a_prior + np.log(_PRIOR)[:, None]
    return RecallModels(hits, misses, offsets, grid, level, intercept, informative, found)


def _fit_intercept(offsets: np.ndarray, weight: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Intercepts at which the mean recall equals the level, shape (V, G), by Newton's method."""
    intercept = np.tile(logit(level), (len(offsets), 1))
    for _ in range(8):
        mean = expit(intercept[..., None] + offsets)
        slope = np.maximum((weight * mean * (1 - mean)).sum(axis=-1), 1e-9)
        intercept = intercept - (((weight * mean).sum(axis=-1) - level) / slope).clip(-2, 2)
    return intercept


def _cost_of_level(n: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Log likelihood that is lost by averaging over an unknown share, instead of the best one."""
    cost = gammaln(n * level + 0.5) + gammaln(n * (1 - level) + 0.5) - gammaln(n + 1)
    return cost - np.log(np.pi) - n * (level * np.log(level) + (1 - level) * np.log1p(-level))


def draw_recall(
    models: RecallModels, base: np.ndarray | None, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Posterior draws of the recalls.

    Args:
        models: Models of the recalls.
        base: Drawn shares of the classes among the mistakes, shape (size, k), which replace the
            estimated ones in the offsets; None with two classes.
        size: Number of draws.
        rng: Random number generator.

    Returns:
        Recalls in [0, 1], shape (size, k).

    Example:
        >>> models = fit_recall(np.array([90, 60]), np.array([10, 40]), None)
        >>> draw_recall(models, None, 400, np.random.default_rng(0)).mean(axis=0).round(1).tolist()
        [0.9, 0.6]
    """
    chosen = draw_models(mixture_weights(models.log_weight.ravel(), TEMPER), size, rng)
    which, g = np.divmod(chosen, len(models.a))
    level, n = models.level[g], models.informative[g]
    drawn = rng.beta(n * level + 0.5, n * (1 - level) + 0.5).clip(1e-12, 1 - 1e-12)
    z = models.offsets[which]
    if base is not None:
        odds = logit(base.clip(1e-6, 1 - 1e-6))
        for offset, power in _BY_MISTAKES:
            z[which == offset] = power * odds[which == offset]
    intercept = models.intercept[which, g] + logit(drawn) - logit(level)
    mean = expit(intercept[:, None] + z).clip(1e-12, 1 - 1e-12)
    finite = np.isfinite(models.a[g])[:, None]
    a = np.where(finite, models.a[g][:, None], 1)
    return np.where(finite, rng.beta(models.hits + a * mean, models.misses + a * (1 - mean)), mean)


def balanced_share(models: RecallModels) -> tuple[float, float]:
    """Balanced accuracy as a share of an effective number of samples.

    The variance of the mean recall comes from recalls shrunken towards each other.

    Args:
        models: Models of the recalls.

    Returns:
        Effective numbers of correct predictions and of samples.

    Example:
        >>> hits, n = balanced_share(fit_recall(np.array([40, 45]), np.array([10, 5]), None))
        >>> round(hits / n, 2), round(n)
        (0.85, 102)
    """
    n = models.hits + models.misses
    hits, misses, n = (x[n > 0] for x in (models.hits, models.misses, n))
    weight = mixture_weights(models.log_weight[0], TEMPER)  # without offsets: classes are alike
    a = np.where(np.isfinite(models.a), models.a, 1e6)
    up, down = hits + (a * models.level)[:, None], misses + (a * (1 - models.level))[:, None]
    total = up + down
    variance = weight @ (up * down / (total * (total + 1)) / n).sum(axis=1) / len(n) ** 2
    level = weight @ (up / total).mean(axis=1)
    effective = level * (1 - level) / variance
    return float((hits / n).mean() * effective), float(effective)
