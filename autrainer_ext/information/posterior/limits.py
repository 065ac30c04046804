"""Limits of the quantities of a confusion matrix, from its posterior.

Tails of the draws are 1.75 % instead of 2.5 % for 95 % intervals, because the models are models. At
the border of the range (independence, even labels) a limit is on the border exactly where a test at
3.5 % does not reject it. Both accuracies have Jeffreys intervals.
"""

import numpy as np
from scipy.special import chndtrinc

from autrainer_ext.intervals import jeffreys_interval

from .borders import BORDERS
from .estimate import Estimate
from .quantities import QUANTITIES

_TAILS = 0.7  # factor on the tails of the draws
_BORDER_LEVEL = 0.7  # level of the tests at the border, in parts of 1 - confidence


def limits(found: Estimate, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits of all quantities, whether or not there are enough samples.

    Args:
        found: Estimate of a confusion matrix.
        confidence: Nominal coverage, in (0, 1).

    Returns:
        Limits in [0, 1], both of shape (12,), in the order of `QUANTITIES`. They need not contain
        the plug-in value, but contain `found.corrected`, except for rounding.

    Example:
        >>> from autrainer_ext.information.posterior.estimate import estimate
        >>> low, high = limits(estimate(np.array([[20, 5], [4, 21]])))
        >>> low[-2].round(2), high[-2].round(2)
        (0.7, 0.91)
    """
    at, tail = QUANTITIES.index, (1 - confidence) / 2
    low, high = _quantiles(found.draws, tail)
    low, high = np.minimum(low, low - found.moves), np.maximum(high, high - found.moves)
    for name, (hypothesis, border) in BORDERS.items():
        q, limit = at(name), high if border else low
        if found.p_values[hypothesis] > _BORDER_LEVEL * (1 - confidence):
            limit[q] = border
        elif limit[q] >= 1 if border else limit[q] <= 0:
            limit[q] = _inner_quantile(found.draws[:, q], border, _tail_of(name, tail))
    for name in ("divergence_true", "divergence_pred"):
        high[at(name)] = max(high[at(name)], _divergence_top(found, name, tail))
    for name, share in found.shares.items():
        low[at(name)], high[at(name)] = jeffreys_interval(*share, confidence=confidence)
    return low.clip(0, 1), high.clip(0, 1)


def _tail_of(name: str, tail: float) -> float:
    """Tail of the draws; divergences have a posterior of their own and need no wider one."""
    return tail if name.startswith("divergence") else tail * _TAILS


def _quantiles(draws: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the central parts of the draws, both of shape (12,)."""
    is_own = np.array([name.startswith("divergence") for name in QUANTITIES])
    wide = tail * _TAILS
    low, low_wide, high, high_wide = np.quantile(draws, [tail, wide, 1 - tail, 1 - wide], axis=0)
    return np.where(is_own, low, low_wide), np.where(is_own, high, high_wide)


def _inner_quantile(values: np.ndarray, border: int, tail: float) -> float:
    """Quantile of the draws inside the range; the border if there are none."""
    inner = values[values < 1] if border else values[values > 0]
    return float(np.quantile(inner, 1 - tail if border else tail)) if len(inner) else border


def _divergence_top(found: Estimate, name: str, tail: float) -> float:
    """Upper limit of a divergence from the noncentral chi-squared distribution of the plug-in.

    Close to even labels 2 n D ln 2 is distributed like that, with k - 1 degrees of freedom and the
    true value as its parameter; the posterior, drawn towards even labels, ends too early there.
    """
    k = found.n_classes
    scale = 2 * found.n_samples * np.log(2) * np.log2(k)
    top = chndtrinc(found.plugin[QUANTITIES.index(name)] * scale, k - 1, tail) / scale
    return float(top) if np.isfinite(top) else 0.0
