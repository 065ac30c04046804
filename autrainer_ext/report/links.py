"""Links between two properties of the same recordings: rank correlations, thirds and sentences.

A link says whether recordings that are high in one property are high in the other one. It is
Spearman's rho with a confidence interval; the sentence depends on whether the interval excludes
zero. Recordings are treated as independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from autrainer_ext.intervals import mean_interval

THIRDS = ("easiest third", "middle third", "hardest third")
_FEWEST = 5  # recordings; the standard error below divides by n - 3


@dataclass(frozen=True)
class Link:
    """Rank correlation of two properties of n recordings.

    Attributes:
        rho: Spearman's rho, -1 to 1.
        low: Lower limit of its confidence interval.
        high: Upper limit.
        n: Number of recordings with both properties.
    """

    rho: float
    low: float
    high: float
    n: int

    @property
    def direction(self) -> int:
        """1 or -1 if the interval excludes zero, with the sign of rho; else 0."""
        return int(self.low > 0) - int(self.high < 0)


def rank_link(x: np.ndarray, y: np.ndarray, *, confidence: float = 0.95) -> Link | None:
    """Spearman's rho of two properties with its confidence interval.

    The interval is symmetric after Fisher's transformation, with the standard error
    sqrt((1 + rho^2 / 2) / (n - 3)).

    Args:
        x: One property of N recordings, shape (N,); nan where it is unknown.
        y: The other property, shape (N,); nan where it is unknown.
        confidence: Nominal coverage, in (0, 1).

    Returns:
        Link over the recordings with both properties; ties share their mean rank. None with fewer
        than five recordings, or if one property is the same for all of them.

    Raises:
        ValueError: If the shapes differ.

    Source:
        Bonett and Wright (2000), Sample size requirements for estimating Pearson, Kendall and
        Spearman correlations, equation 4. doi:10.1007/BF02294183

    Example:
        >>> link = rank_link(np.arange(28), np.arange(28) % 14)
        >>> round(link.rho, 2), round(link.low, 2), round(link.high, 2), link.direction
        (0.5, 0.13, 0.75, 1)
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"Both properties need shape (N,), got {x.shape} and {y.shape}.")
    known = np.isfinite(x) & np.isfinite(y)
    n = int(known.sum())
    if n < _FEWEST or np.ptp(x[known]) == 0 or np.ptp(y[known]) == 0:
        return None
    rho = float(np.corrcoef(rankdata(x[known]), rankdata(y[known]))[0, 1])
    z = np.arctanh(np.clip(rho, -1 + 1e-9, 1 - 1e-9))
    half_width = norm.ppf((1 + confidence) / 2) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    return Link(rho, float(np.tanh(z - half_width)), float(np.tanh(z + half_width)), n)


def thirds(difficulty: np.ndarray) -> np.ndarray:
    """Third of every recording by difficulty: 0 easiest, 1 middle, 2 hardest.

    Args:
        difficulty: Higher is harder, shape (N,); nan where it is unknown.

    Returns:
        Third of every recording, shape (N,), as equal in size as ties allow: tied recordings are
        in the third of their mean rank. -1 where the difficulty is unknown.

    Example:
        >>> thirds(np.array([0.9, 0.1, 0.5, np.nan, 0.2, 0.6, 0.8])).tolist()
        [2, 0, 1, -1, 0, 1, 2]
    """
    difficulty = np.asarray(difficulty, dtype=float)
    found = np.full(len(difficulty), -1)
    known = np.isfinite(difficulty)
    places = (rankdata(difficulty[known]) - 0.5) / max(known.sum(), 1)
    found[known] = np.minimum((3 * places).astype(int), 2)
    return found


def group_means(values: np.ndarray, groups: np.ndarray, names: Sequence[str]) -> list[dict]:
    """Mean of a property per group of recordings, with its bootstrap interval.

    Args:
        values: Property of N recordings, shape (N,); nan where it is unknown.
        groups: Number of the group of every recording, shape (N,); negative for none.
        names: Names of the groups.

    Returns:
        One dict per group with recordings: `name`, `n`, `mean`, `low`, `high`; the limits are nan
        for a single recording.

    Example:
        >>> rows = group_means(np.array([1.0, 1.0, 0.0]), np.array([0, 0, -1]), ["a", "b"])
        >>> rows
        [{'name': 'a', 'n': 2, 'mean': 1.0, 'low': 1.0, 'high': 1.0}]
    """
    rows = []
    for number, name in enumerate(names):
        part = values[(groups == number) & np.isfinite(values)]
        if len(part):
            low, high = mean_interval(part)
            rows.append(
                {"name": name, "n": len(part), "mean": float(part.mean()), "low": low, "high": high}
            )
    return rows


def choose_sentence(link: Link | None, more: str, less: str, nothing: str) -> str:
    """Sentence that a link supports.

    Args:
        link: The link, or None if it cannot be computed.
        more: Sentence if the interval lies above zero.
        less: Sentence if it lies below zero.
        nothing: Sentence if it contains zero.

    Returns:
        One of the sentences, or one that says that there are too few recordings.

    Example:
        >>> choose_sentence(Link(0.5, 0.1, 0.8, 20), "Harder is worse.", "Better.", "Open.")
        'Harder is worse.'
    """
    if link is None:
        return "Too few recordings, or one of the two values is the same for all of them."
    return {1: more, -1: less, 0: nothing}[link.direction]
