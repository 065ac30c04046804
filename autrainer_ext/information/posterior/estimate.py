"""Posterior of the quantities of one confusion matrix.

Plug-in entropies of sparse tables are biased by more than their standard error, and the bias
depends on cells that were never seen: how many there are, and how the mistakes spread over them.
Tables of mistakes have structure, and the counts show how much of it. The table is therefore
modelled in parts, each with few parameters and averaged over a grid of hyperparameters. Draws from
the posterior carry the correction of the bias, and its uncertainty, into every quantity.

    shares of the true classes   `margins`
    recall per class             `recall`
    mistakes of each class       `spread`
    instead of the last two      rows without a special diagonal, `spread`; contains independence

Source:
    Nemenman, Shafee and Bialek (2002), Entropy and inference, revisited: averaging over
    concentrations. arXiv:physics/0108025.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logsumexp

from .borders import border_p_values
from .margins import correct_margins, draw_margin
from .mixtures import TEMPER
from .quantities import QUANTITIES, table_quantities
from .recall import balanced_share, draw_recall, fit_recall
from .spread import draw_spread, fit_spread
from .support import present_classes

N_DRAWS = 400
_NO_DIAGONAL = 0.2  # prior weight of rows without a special diagonal


@dataclass(frozen=True)
class Estimate:
    """What is known of the distribution behind a confusion matrix.

    Attributes:
        n_classes: Number of classes.
        n_samples: Number of samples.
        plugin: Quantities of the relative frequencies, shape (12,), in the order of `QUANTITIES`.
        draws: Posterior draws of the quantities, shape (n_draws, 12).
        moves: How far the divergences among the draws were moved, shape (12,).
        mean_table: Posterior mean of the shares, shape (n_classes, n_classes).
        p_values: p-values of the hypotheses on the border of the range.
        shares: Effective numbers of correct predictions and of samples of both accuracies.
    """

    n_classes: int
    n_samples: int
    plugin: np.ndarray
    draws: np.ndarray
    moves: np.ndarray
    mean_table: np.ndarray
    p_values: dict[str, float]
    shares: dict[str, tuple[float, float]]

    @property
    def corrected(self) -> np.ndarray:
        """Estimates without the bias, shape (12,): medians of the draws; accuracies as they are."""
        medians = np.median(self.draws, axis=0)
        medians[-2:] = self.plugin[-2:]
        return medians.clip(0, 1)


def estimate(counts: np.ndarray, *, n_draws: int = N_DRAWS, seed: int = 0) -> Estimate:
    """Posterior of all quantities of a confusion matrix.

    Args:
        counts: Confusion matrix, whole counts, shape (k, k), at least two classes and four samples.
        n_draws: Number of posterior draws.
        seed: Seed of the draws.

    Returns:
        The estimate.

    Raises:
        ValueError: If the table is not square, or has too few classes or samples.

    Example:
        >>> found = estimate(np.array([[20, 5], [4, 21]]))
        >>> found.draws.shape, round(found.corrected[QUANTITIES.index("accuracy")], 2)
        ((400, 12), 0.82)
    """
    whole = np.asarray(counts, dtype=np.float64)
    if whole.ndim != 2 or whole.shape[0] != whole.shape[1] or len(whole) < 2 or whole.sum() < 4:
        raise ValueError(
            "Argument 'counts' must be square with at least two classes and four samples, got "
            f"shape {whole.shape} and {whole.sum():g} samples."
        )
    rng, n_classes, present = np.random.default_rng(seed), len(whole), present_classes(whole)
    counts = whole[np.ix_(present, present)]
    rows, hits = counts.sum(axis=1), np.diagonal(counts)
    tables, shares = _draw_tables(counts, n_draws, rng)
    draws, moves = table_quantities(tables, rows > 0, n_classes), np.zeros(len(QUANTITIES))
    if len(present) > 2:
        columns = draw_margin(counts.sum(axis=0), n_draws, rng)
        draws, moves = correct_margins(draws, counts, columns, n_classes)
    mean_table = np.zeros((n_classes, n_classes))
    mean_table[np.ix_(present, present)] = tables.mean(axis=0)
    return Estimate(
        n_classes=n_classes,
        n_samples=int(whole.sum()),
        plugin=table_quantities(whole),
        draws=draws,
        moves=moves,
        mean_table=mean_table,
        p_values=border_p_values(whole),
        shares={"accuracy": (hits.sum(), rows.sum()), "balanced_accuracy": shares},
    )


def _draw_tables(
    counts: np.ndarray, n_draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[float, float]]:
    """Posterior draws of the table, shape (n_draws, k, k), and the share of `balanced_share`."""
    k = len(counts)
    rows, hits = counts.sum(axis=1), np.diagonal(counts)
    mistakes = fit_spread(counts * ~np.eye(k, dtype=bool), is_mistakes=True) if k > 2 else None
    plain = fit_spread(counts, is_mistakes=False)
    base = mistakes.weight @ mistakes.base if mistakes else None
    recall = fit_recall(hits, rows - hits, base)
    odds = logsumexp(recall.log_weight) - logsumexp(plain.log_weight)
    odds += logsumexp(mistakes.log_weight) if mistakes else 0  # of two classes: one other column
    odds = TEMPER * (odds + np.log((1 - _NO_DIAGONAL) / _NO_DIAGONAL))
    n_plain = rng.binomial(n_draws, expit(-odds))
    tables, margin = np.empty((n_draws, k, k)), draw_margin(rows, n_draws, rng)
    tables[:n_plain] = draw_spread(plain, n_plain, rng)[0]
    size = n_draws - n_plain
    if size:
        spread, bases = np.tile(1 - np.eye(2), (size, 1, 1)), None
        if mistakes:
            spread, bases = draw_spread(mistakes, size, rng)
        drawn = draw_recall(recall, bases, size, rng)
        tables[n_plain:] = spread * (1 - drawn)[..., None]
        tables[n_plain:, np.arange(k), np.arange(k)] = drawn
    return tables * margin[..., None], balanced_share(recall)
