"""Ranking of samples by difficulty; ties are kept."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranks:
    """Rank of every sample from the easiest (0) to the hardest (1); arrays have shape (N,).

    Attributes:
        rank: Mean rank of all samples tied with this one.
        rank_low: Lowest rank of these samples.
        rank_high: Highest rank of these samples.
        tie_size: Number of these samples, including this one; 1 without a tie.
    """

    rank: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    tie_size: np.ndarray


def rank_difficulty(easiness: np.ndarray, *, tie_break: np.ndarray | None = None) -> Ranks:
    """Rank samples from easiest to hardest.

    Args:
        easiness: Score of every sample, larger for easier samples, such as cumulative accuracy
            or the negative loss, shape (N,).
        tie_break: Second score, larger for easier samples, such as the mean margin, shape (N,).
            It orders samples of equal `easiness`; samples equal in both scores stay tied.

    Returns:
        Ranks in [0, 1]. If all samples are tied, their rank is 0.5, from 0 to 1. A single sample
        has rank 0.

    Raises:
        ValueError: If there are no samples, scores are nan or the shapes differ.

    Example:
        >>> rank_difficulty(np.array([0.9, 0.1, 0.5, 0.9, 0.2])).rank.tolist()
        [0.125, 1.0, 0.5, 0.125, 0.75]
    """
    keys = [np.asarray(easiness, dtype=float)]
    if tie_break is not None:
        keys.append(np.asarray(tie_break, dtype=float))
    shapes = {key.shape for key in keys}
    if len(shapes) > 1 or keys[0].ndim != 1 or len(keys[0]) == 0:
        raise ValueError(f"Scores must be one number per sample, got shapes {sorted(shapes)}.")
    if any(np.isnan(key).any() for key in keys):
        raise ValueError("Scores must not be nan.")
    tie, sizes = _ties(keys)
    high = np.cumsum(sizes) - 1
    low = high - sizes + 1
    last = max(len(keys[0]) - 1, 1)
    return Ranks(
        rank=((low + high) / (2 * last))[tie],
        rank_low=(low / last)[tie],
        rank_high=(high / last)[tie],
        tie_size=sizes[tie],
    )


def order_drawn(ranks: Ranks, *, seed: int = 0) -> np.ndarray:
    """Order samples by difficulty, tied samples randomly.

    Args:
        ranks: Ranks of N samples.
        seed: Seed of the random order of tied samples.

    Returns:
        Sample indices from easiest to hardest, shape (N,).

    Example:
        >>> order_drawn(rank_difficulty(np.array([0.5, 0.1, 0.9]))).tolist()
        [2, 0, 1]
    """
    draw = np.random.default_rng(seed).permutation(len(ranks.rank))
    return draw[np.argsort(ranks.rank[draw], kind="stable")]


def select_examples(ranks: Ranks, n_samples: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Select the easiest, the medium and the hardest samples.

    Args:
        ranks: Ranks of N samples.
        n_samples: Number of samples of each kind.
        seed: Seed of the random order of tied samples.

    Returns:
        Mapping from "easiest", "medium" and "hardest" to up to `n_samples` sample indices each,
        easiest first except in "hardest". No sample is selected twice: if N < 3 * `n_samples`,
        "easiest" is filled first, then "hardest", then "medium".

    Example:
        >>> examples = select_examples(rank_difficulty(np.linspace(1, 0, 9)), 2)
        >>> {kind: samples.tolist() for kind, samples in examples.items()}
        {'easiest': [0, 1], 'medium': [3, 4], 'hardest': [8, 7]}
    """
    order = order_drawn(ranks, seed=seed)
    easiest = order[:n_samples]
    hardest = order[len(easiest) :][::-1][:n_samples]
    between = order[len(easiest) : len(order) - len(hardest)]
    start = max(len(between) - n_samples, 0) // 2
    return {
        "easiest": easiest,
        "medium": between[start : start + n_samples],
        "hardest": hardest,
    }


def _ties(keys: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Index of the group of tied samples of every sample, easiest first, and the group sizes."""
    order = np.lexsort([-key for key in reversed(keys)])
    is_new = np.zeros(len(order), dtype=bool)
    for key in keys:
        is_new[1:] |= key[order][1:] != key[order][:-1]
    tie = np.empty(len(order), dtype=np.int64)
    tie[order] = np.cumsum(is_new)
    return tie, np.bincount(tie)
