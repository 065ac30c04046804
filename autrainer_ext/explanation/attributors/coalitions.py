"""Coalitions of segments: which of them are kept in a masked copy of a clip.

Coalitions come in pairs of complements, whose errors cancel in part, so fewer are needed. If a clip
has few segments, all coalitions are listed once, and what follows from them has no sampling error.
"""

import itertools
import math
from dataclasses import dataclass

import torch

_MOST_LISTED = 1024


@dataclass(frozen=True)
class Coalitions:
    """Coalitions and their weights in a regression.

    Attributes:
        kept: Whether a segment is kept, shape (K, segments), bool. Rows 2 i and 2 i + 1 are
            complements.
        weights: Weights of the coalitions, shape (K,), float64.
        is_complete: Whether these are all coalitions.
    """

    kept: torch.Tensor
    weights: torch.Tensor
    is_complete: bool

    def __len__(self) -> int:
        return len(self.kept)


def lime_coalitions(
    n_segments: int, n_samples: int, *, kernel_width: float, seed: int
) -> Coalitions:
    """Coalitions that contain every segment with probability one half.

    The weights are exp(-d^2 / (2 w^2)), where d is the cosine distance from the whole clip. The
    whole clip and the empty coalition come first.

    Args:
        n_segments: Number of segments, at least 1.
        n_samples: Number of coalitions, rounded to pairs; fewer if there are no more.
        kernel_width: Width w of the kernel.
        seed: Seed of the coalitions.

    Returns:
        All coalitions of few segments, else random ones.

    Example:
        >>> lime_coalitions(2, 64, kernel_width=0.25, seed=0).kept.int().tolist()
        [[1, 1], [0, 0], [1, 0], [0, 1]]
    """
    half = _all_halves(n_segments, n_samples)
    is_complete = half is not None
    if half is None:
        generator = torch.Generator().manual_seed(seed)
        half = torch.rand(max(n_samples // 2, 1), n_segments, generator=generator) < 0.5
        half[0] = True  # its complement is the empty coalition
    kept = _with_complements(half)
    # cosine similarity with the whole clip; an empty coalition has none
    distance = 1 - kept.double().mean(dim=1).sqrt()
    return Coalitions(kept, torch.exp(-(distance**2) / (2 * kernel_width**2)), is_complete)


def shapley_coalitions(n_segments: int, n_samples: int, *, seed: int) -> Coalitions:
    """Coalitions for Shapley values, without the empty and the whole one.

    Random coalitions have every size equally often (leverage scores), weighted with
    1 / (s (n - s)) for the size s of n segments, so that the regression stays that of KernelSHAP.

    Args:
        n_segments: Number of segments, at least 2.
        n_samples: Number of coalitions, rounded to pairs; fewer if there are no more.
        seed: Seed of the coalitions.

    Returns:
        All coalitions of few segments, else random ones.

    Source:
        Musco and Witter (2025), Provably accurate Shapley value estimation via leverage score
        sampling, algorithm 1; Covert and Lee (2021), Improving KernelSHAP, section 3.3, for the
        pairs.

    Example:
        >>> drawn = shapley_coalitions(3, 64, seed=0)
        >>> drawn.kept.int().tolist(), drawn.is_complete
        ([[1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 1]], True)
    """
    listed = _all_halves(n_segments, n_samples)
    if listed is not None:
        kept = _with_complements(listed[1:])  # without the whole and the empty one
        kernel = [
            (n_segments - 1) / (math.comb(n_segments, size) * size * (n_segments - size))
            for size in kept.sum(dim=1).tolist()
        ]
        return Coalitions(kept, torch.tensor(kernel, dtype=torch.float64), is_complete=True)
    generator = torch.Generator().manual_seed(seed)
    n_pairs, n_sizes = max(n_samples // 2, 1), n_segments - 1
    # every run of n - 1 pairs has each size once
    cycles = torch.rand(-(-n_pairs // n_sizes), n_sizes, generator=generator).argsort(dim=1)
    sizes = cycles.flatten()[:n_pairs] + 1
    ranks = torch.rand(n_pairs, n_segments, generator=generator).argsort(dim=1).argsort(dim=1)
    weights = 1 / (sizes * (n_segments - sizes)).double()
    kept = _with_complements(ranks < sizes[:, None])
    return Coalitions(kept, weights.repeat_interleave(2), is_complete=False)


def _all_halves(n_segments: int, n_samples: int) -> torch.Tensor | None:
    """All coalitions that contain the first segment, the whole clip first, if they are few."""
    if n_segments > 30 or 2**n_segments > min(n_samples + 2, _MOST_LISTED):
        return None
    others = itertools.product([True, False], repeat=n_segments - 1)
    return torch.tensor([[True, *rest] for rest in others])


def _with_complements(half: torch.Tensor) -> torch.Tensor:
    return torch.stack([half, ~half], dim=1).flatten(0, 1)
