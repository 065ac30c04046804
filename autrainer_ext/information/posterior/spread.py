"""Models of how rows of a table spread over the columns, and draws from their posterior.

    plain   row i ~ Dirichlet(a s),  s ~ Dirichlet(b / k)
    hot     a few cells per row share the part f of it; gamma distributed in both groups

The base s is shared by all rows; with infinite a all rows are equal to it, with infinite b it is
even. For rows of mistakes the diagonal is left out. Models with hot cells are needed where most
mistakes of a class go to one similar class: Dirichlet rows have too light a tail for that.

Source:
    Teh, Jordan, Beal and Blei (2006), Hierarchical Dirichlet processes: the counts that reach the
    shared base. 10.1198/016214506000000302.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import digamma, expit, gammaln

from .mixtures import (
    LARGE,
    TEMPER,
    concentrations,
    draw_models,
    mixture_weights,
    sum_to_one,
)

_HOT = 0.4  # prior weight of the models with hot cells
_HOT_SHARES = (0.55, 0.75, 0.87, 0.94, 0.975)  # part of a row's mistakes in hot cells
_FEWEST_COLUMNS = 4  # with fewer, hot cells are not special
_A_OF_HOT = 1e6  # stands for an infinite shape of the gamma distributions
_SHARE_SAMPLES = 20  # samples that the share of a model is worth when its share is drawn anew


@dataclass(frozen=True)
class SpreadModels:
    """Models of the rows of counts, G of them, with their posterior.

    Attributes:
        counts: Counts, shape (k, k).
        free: Cells that a row may fall into, booleans of shape (k, k).
        a: Concentrations of the rows around the base, shape (G,).
        b: Concentrations of the base around even columns, shape (G,).
        hot: Share of the cells that are hot, shape (G,); zero for plain models.
        high: Mean rate of hot cells relative to the mean of all cells, shape (G,).
        low: Mean rate of the other cells, shape (G,).
        base: Estimated base, shape (G, k).
        shared: Counts that the base accounts for, shape (G, k).
        log_weight: Logarithm of prior weight times marginal likelihood, shape (G,).
    """

    counts: np.ndarray
    free: np.ndarray
    a: np.ndarray
    b: np.ndarray
    hot: np.ndarray
    high: np.ndarray
    low: np.ndarray
    base: np.ndarray
    shared: np.ndarray
    log_weight: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """Tempered posterior weights, shape (G,)."""
        return mixture_weights(self.log_weight, TEMPER)


@dataclass(frozen=True)
class _Grid:
    """Hyperparameters of all models; arrays of shape (G,) as in `SpreadModels`."""

    a: np.ndarray
    b: np.ndarray
    hot: np.ndarray
    high: np.ndarray
    low: np.ndarray
    log_prior: np.ndarray
    variance: np.ndarray  # of a cell relative to its mean, squared

    def where(self, chosen: np.ndarray) -> "_Grid":
        return _Grid(*(getattr(self, field.name)[chosen] for field in fields(self)))


def fit_spread(counts: np.ndarray, *, is_mistakes: bool) -> SpreadModels:
    """Fit the base of every model and weight all models by their marginal likelihood.

    Args:
        counts: Counts, shape (k, k).
        is_mistakes: Whether the diagonal is empty because mistakes cannot fall on it.

    Returns:
        The models.

    Example:
        >>> models = fit_spread(np.array([[9, 1], [2, 8]]), is_mistakes=False)
        >>> models.base.shape == (models.a.size, 2), models.hot.max()
        (True, 0.0)
    """
    k = len(counts)
    free = ~np.eye(k, dtype=bool) if is_mistakes else np.ones((k, k), dtype=bool)
    grid = _grid(k, is_mistakes)
    base, shared = _fit_base(counts, grid, is_mistakes)
    found = _plain_likelihood(counts, base, grid.a, is_mistakes)
    is_hot = grid.hot > 0
    if is_hot.any():
        found[is_hot] = _hot_likelihood(counts, base[is_hot], grid.where(is_hot))
    found += _base_likelihood(base, shared, grid.b)
    return SpreadModels(
        counts, free, grid.a, grid.b, grid.hot, grid.high, grid.low, base, shared,
        grid.log_prior + found,
    )  # fmt: skip


def _grid(k: int, is_mistakes: bool) -> _Grid:
    columns = k - is_mistakes
    a_grid, a_prior = concentrations(np.geomspace(0.5, 50 * k, 10))
    b_grid, b_prior = concentrations(k * np.array([0.5, 2, 8]))
    models: list[tuple[float, ...]] = [
        (a, b, 0, 1, p + q)
        for a, p in zip(a_grid, a_prior, strict=True)
        for b, q in zip(b_grid, b_prior, strict=True)
    ]
    if is_mistakes and columns >= _FEWEST_COLUMNS:
        hot_models = [
            (a, b, per_row / columns, share, 0)
            for per_row in ((1, 2) if columns < 12 else (1, 2, 4))
            for share in _HOT_SHARES
            for a in (2, np.inf)
            for b in (2 * k, np.inf)
            if share > 1.5 * per_row / columns
        ]
        models = [(*model[:4], model[4] + np.log(1 - _HOT)) for model in models]
        models += [(*model[:4], np.log(_HOT / len(hot_models))) for model in hot_models]
    a, b, hot, share, log_prior = np.array(models, dtype=float).T
    high = np.where(hot > 0, share / np.maximum(hot, 1e-9), 1)
    low = np.where(hot > 0, (1 - share) / (1 - hot), 1)
    squares = (hot * high**2 + (1 - hot) * low**2) * (1 + 1 / _finite(a, LARGE))
    return _Grid(a, b, hot, high, low, log_prior, squares - 1)


def _finite(values: np.ndarray, large: float) -> np.ndarray:
    return np.where(np.isfinite(values), values, large)


def _fit_base(counts: np.ndarray, grid: _Grid, is_mistakes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Base and counts that it accounts for, both of shape (G, k), by expectation-maximisation.

    The diagonal that mistakes leave out is filled in: else the base of frequent classes, which
    leave out most, is estimated too low.
    """
    k, known = len(counts), np.isfinite(grid.b)
    base, shared = np.full((len(grid.a), k), 1 / k), np.zeros((len(grid.a), k))
    i, j = np.nonzero(counts)
    if not len(i):
        return base, shared
    c = counts[i, j]
    to_rows, to_columns = (np.equal.outer(x, np.arange(k)).astype(float) for x in (i, j))
    a, b = _finite(grid.a, LARGE)[known, None], grid.b[known, None]
    is_hot, shape_of_hot = grid.hot[known, None] > 0, 1 / np.maximum(grid.variance[known], 1e-9)
    s = np.tile((counts.sum(axis=0) + 1) / (counts.sum() + k), (known.sum(), 1))
    for _ in range(4):
        shape = a * (s[:, j] / (1 - s[:, i]) if is_mistakes else s[:, j])
        shape = np.where(is_hot, shape_of_hot[:, None], shape)
        parts = shape * (digamma(shape + c) - digamma(shape))
        t = parts @ to_columns
        if is_mistakes:
            t += (parts @ to_rows) * s / (1 - s)
        s = (b / k + t) / (b + t.sum(axis=1, keepdims=True))
    base[known], shared[known] = s, t
    return base, shared


def _plain_likelihood(
    counts: np.ndarray, base: np.ndarray, a: np.ndarray, is_mistakes: bool
) -> np.ndarray:
    """Log likelihood of Dirichlet rows given the base, shape (G,)."""
    i, j = np.nonzero(counts)
    a = _finite(a, LARGE)[:, None]
    shape = a * (base[:, j] / (1 - base[:, i]) if is_mistakes else base[:, j])
    found = (gammaln(shape + counts[i, j]) - gammaln(shape)).sum(axis=1)
    return found + (gammaln(a) - gammaln(a + counts.sum(axis=1))).sum(axis=1)


def _hot_likelihood(counts: np.ndarray, base: np.ndarray, grid: _Grid) -> np.ndarray:
    """Log likelihood of rows with hot cells given their sums, shape (G,).

    Cells are mixtures of two negative binomials, and the sum of a row is taken as another one.
    """
    occupied = counts.sum(axis=1) > 0
    free = ~np.eye(len(counts), dtype=bool)[occupied]
    full = base[:, None, :] / (1 - base[:, occupied])[:, :, None] * free
    counts = counts[occupied]
    rows = counts.sum(axis=1)
    a = _finite(grid.a, _A_OF_HOT).clip(max=_A_OF_HOT)
    size = a[:, None, None]
    ratio = np.maximum(rows[:, None] * full, 1e-12) / size
    r, c = np.nonzero(counts)
    x = counts[r, c]
    constant = gammaln(a[:, None] + x) - gammaln(a)[:, None]
    parts = []
    for rate, share in ((grid.high, grid.hot), (grid.low, 1 - grid.hot)):
        scaled = ratio * rate[:, None, None]
        logarithm = np.log1p(scaled)
        part = np.log(share)[:, None, None] - size * logarithm
        part[:, r, c] += constant + x * (np.log(scaled[:, r, c]) - logarithm[:, r, c])
        parts.append(part)
    cells = np.where(free, np.logaddexp(*parts), 0).sum(axis=(1, 2))
    size = 1 / (grid.variance[:, None] * (full**2).sum(axis=-1))
    sums = gammaln(size + rows) - gammaln(size) - size * np.log1p(rows / size)
    sums += rows * (np.log(rows / size) - np.log1p(rows / size))
    return cells - sums.sum(axis=1)


def _base_likelihood(base: np.ndarray, shared: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Log likelihood of the counts of the base, averaged over the base, shape (G,)."""
    k, total, finite = base.shape[1], shared.sum(axis=1), _finite(b, LARGE)
    found = gammaln(finite) - gammaln(finite + total) - (shared * np.log(base)).sum(axis=1)
    per_class = finite[:, None] / k
    found += (gammaln(per_class + shared) - gammaln(per_class)).sum(axis=1)
    return np.where(np.isfinite(b), found, 0)


def draw_spread(
    models: SpreadModels, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior draws of the rows and of their base.

    Args:
        models: Models of the rows.
        size: Number of draws.
        rng: Random number generator.

    Returns:
        Rows that sum to one, shape (size, k, k), and bases, shape (size, k).

    Example:
        >>> models = fit_spread(np.array([[9, 1], [2, 8]]), is_mistakes=False)
        >>> rows, base = draw_spread(models, 5, np.random.default_rng(0))
        >>> rows.shape, base.shape, bool(np.allclose(rows.sum(axis=2), 1))
        ((5, 2, 2), (5, 2), True)
    """
    k = len(models.counts)
    g = draw_models(models.weight, size, rng)
    base = np.full((size, k), 1 / k)
    known = np.isfinite(models.b[g])
    base[known] = sum_to_one(
        rng.standard_gamma(models.b[g][known, None] / k + models.shared[g[known]])
    )
    rows = sum_to_one(base[:, None, :] * models.free)
    plain = np.isfinite(models.a[g]) & (models.hot[g] == 0)
    rows[plain] = sum_to_one(
        rng.standard_gamma(models.a[g[plain]][:, None, None] * rows[plain] + models.counts)
    )
    hot = models.hot[g] > 0
    if hot.any():
        rows[hot] = _draw_hot(models, g[hot], rows[hot], rng)
    return rows, base


def _draw_hot(
    models: SpreadModels, g: np.ndarray, base: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws of rows with hot cells, from models g and bases of shape (size, k, k)."""
    counts = models.counts
    a = _finite(models.a, _A_OF_HOT)[g][:, None, None]
    high, low, hot = (x[g][:, None, None] for x in (models.high, models.low, models.hot))
    ratio = counts.sum(axis=1)[:, None] * base / a
    odds = np.log(hot / (1 - hot)) + counts * np.log(high / low)
    odds = odds - (a + counts) * np.log((1 + ratio * high) / (1 + ratio * low))
    is_high = rng.random(odds.shape) < expit(odds)
    gamma = rng.standard_gamma(a + counts) / (1 / np.where(is_high, high, low) + ratio)
    share = (models.hot * models.high)[g]
    return _with_high_share(sum_to_one(gamma * base), is_high, counts, share, rng)


def _with_high_share(
    rows: np.ndarray,
    is_high: np.ndarray,
    counts: np.ndarray,
    share: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Rows whose hot cells together have the share that their counts indicate.

    The grid contains few shares; with many samples none of them is right. The other cells are
    multiplied by a common factor per draw, at most 1.5: half the distance to the next model.
    """
    in_hot, total = (counts * is_high).sum(axis=(1, 2)), counts.sum()
    prior, rest = _SHARE_SAMPLES * share, _SHARE_SAMPLES * (1 - share)
    wanted = rng.beta(in_hot + prior, total - in_hot + rest).clip(1e-9, 1 - 1e-9)
    weight = counts.sum(axis=1)[:, None] / max(total, 1)
    factor = np.ones(len(rows))
    for _ in range(3):
        cold = (rows * ~is_high * weight).sum(axis=(1, 2)).clip(1e-9, 1 - 1e-9)
        step = (1 - wanted) / wanted * (1 - cold) / cold
        step = (factor * step).clip(1 / 1.5, 1.5) / factor
        rows = sum_to_one(np.where(is_high, rows, rows * step[:, None, None]))
        factor = factor * step
    return rows
