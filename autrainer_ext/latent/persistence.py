"""Persistent homology of embeddings: clusters and loops, and over which scales they last.

Around every sample a ball grows. Clusters (dimension 0) die where balls meet; loops (dimension 1)
are born where a ring of balls closes and die where it fills up. A diagram is the set of their
births and deaths. Distances are relative to the median distance of two samples, so that diagrams
of different layers and runs can be compared.

Source:
    Edelsbrunner and Harer (2010), Computational topology, chapters VII and VIII; Tralie et al.
    (2018), Ripser.py. doi:10.21105/joss.00925
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DiagramSummary:
    """What a diagram says in numbers; all zero for an empty one.

    Attributes:
        n_features: Number of clusters or loops; in dimension 0 one less than samples, since the
            last cluster never dies.
        total: Sum of the lifetimes.
        longest: Longest lifetime.
        entropy: Entropy of the shares of the lifetimes in bits, at most log2 of their number: low
            where a few features outlast the others.
        n_lasting: Number of lifetimes above twice the 95th percentile: features that stand out.
    """

    n_features: int
    total: float
    longest: float
    entropy: float
    n_lasting: int


def persistence_diagrams(embeddings: np.ndarray, *, max_dimension: int = 1) -> list[np.ndarray]:
    """Persistence diagrams of the Vietoris-Rips filtration.

    Time and memory grow fast with the number of samples: 500 take a second, 2,000 minutes.

    Args:
        embeddings: Shape (N, D), at least 2 samples, finite.
        max_dimension: 0 for clusters, 1 for loops too.

    Returns:
        For every dimension births and deaths relative to the median distance of two different
        samples, shape (features, 2); the cluster that never dies is left out. Where all
        samples are equal every lifetime is zero.

    Raises:
        ValueError: If the embeddings are unfit.
    """
    from ripser import ripser
    from scipy.spatial.distance import pdist, squareform

    if embeddings.ndim != 2 or len(embeddings) < 2 or not np.isfinite(embeddings).all():
        raise ValueError(
            f"embeddings must be finite and of shape (at least 2, D), got {embeddings.shape}."
        )
    distances = pdist(embeddings.astype(float))
    scale = np.median(distances) or distances.max() or 1.0
    found = ripser(squareform(distances / scale), maxdim=max_dimension, distance_matrix=True)
    return [diagram[np.isfinite(diagram[:, 1])] for diagram in found["dgms"]]


def summarise_diagram(diagram: np.ndarray) -> DiagramSummary:
    """Number, lengths and distribution of the lifetimes of a diagram.

    Args:
        diagram: Births and deaths, shape (features, 2).
    """
    lifetimes = diagram[:, 1] - diagram[:, 0]
    total = lifetimes.sum()
    if not total > 0:
        return DiagramSummary(len(lifetimes), 0.0, 0.0, 0.0, 0)
    shares = lifetimes[lifetimes > 0] / total
    return DiagramSummary(
        n_features=len(lifetimes),
        total=float(total),
        longest=float(lifetimes.max()),
        entropy=float(-(shares * np.log2(shares)).sum()),
        n_lasting=int((lifetimes > 2 * np.quantile(lifetimes, 0.95)).sum()),
    )


def diagram_distances(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """How different two diagrams are.

    Features are matched with each other or with the diagonal, where lifetimes are zero.

    Args:
        first: Births and deaths, shape (features, 2).
        second: The same for the other diagram.

    Returns:
        The bottleneck distance, the largest difference in births or deaths that the best matching
        leaves, and the Wasserstein distance of order 1 with Euclidean distances, the sum of what it
        leaves.

    Source:
        Edelsbrunner and Harer (2010), section VIII.2.
    """
    import warnings

    from persim import wasserstein

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # persim warns of empty diagrams
        return _bottleneck(first, second), float(wasserstein(first, second))


def _bottleneck(first: np.ndarray, second: np.ndarray) -> float:
    """Least distance within which all features find a partner, by bisection over the distances.

    Within a distance, only features further from the diagonal need another one. Where those of
    either diagram can be matched, those of both can at once (Mendelsohn and Dulmage, 1958). That
    of persim takes minutes for some diagrams of a few hundred features.
    """
    distances = np.abs(first[:, None] - second).max(axis=2)
    halves = [(diagram[:, 1] - diagram[:, 0]) / 2 for diagram in (first, second)]
    candidates = np.unique(np.concatenate([[0.0], distances.ravel(), *halves]))
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        limit = candidates[middle]
        near = distances <= limit
        fits = _all_find_a_partner(near[halves[0] > limit])
        fits = fits and _all_find_a_partner(near.T[halves[1] > limit])
        low, high = (low, middle) if fits else (middle + 1, high)
    return float(candidates[low])


def _all_find_a_partner(within: np.ndarray) -> bool:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if not within.any(axis=1).all():
        return False
    return bool((maximum_bipartite_matching(csr_array(within), perm_type="column") >= 0).all())
