"""Persistent homology of embeddings: clusters and loops with the scales over which they exist.

A ball grows around every sample. A cluster (dimension 0) dies when its balls touch those of another
cluster. A loop (dimension 1) is born when a ring of balls closes and dies when the ring is filled.
A persistence diagram holds births and deaths as radii. Radii are divided by the median distance
between two samples, so that diagrams of different layers and runs can be compared.

Source:
    Edelsbrunner and Harer (2010), Computational topology, chapters VII and VIII; Tralie et al.
    (2018), Ripser.py. doi:10.21105/joss.00925
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DiagramSummary:
    """Summary of a persistence diagram; all zero for an empty diagram.

    Attributes:
        n_features: Number of clusters or loops. The last cluster never dies and is not counted.
        total: Sum of the lifetimes.
        longest: Longest lifetime.
        entropy: Persistent entropy, the entropy of the lifetimes as shares of their sum, in bits;
            at most log2 of their number. It is low if a few features outlast the others.
        n_lasting: Number of lifetimes above twice their 95th percentile.
    """

    n_features: int
    total: float
    longest: float
    entropy: float
    n_lasting: int


def persistence_diagrams(embeddings: np.ndarray, *, max_dimension: int = 1) -> list[np.ndarray]:
    """Compute the persistence diagrams of the Vietoris-Rips filtration.

    Time and memory grow fast with the number of samples: 500 samples take a second, 2,000 take
    minutes.

    Args:
        embeddings: Embeddings, shape (N, D), N at least 2, finite.
        max_dimension: Largest dimension: 0 for clusters only, 1 (default) for clusters and loops.

    Returns:
        Births and deaths per dimension, each of shape (features, 2), relative to the median
        distance between two samples. The cluster that never dies is left out. If all samples are
        equal, all lifetimes are zero.

    Raises:
        ValueError: If the shape is wrong or a value is not finite.

    Example:
        >>> clusters, loops = persistence_diagrams(np.array([[0, 0], [0, 1], [1, 1], [1, 0]]))
        >>> loops.round(2).tolist()  # born at the side of the square, filled at its diagonal
        [[1.0, 1.41]]
    """
    from ripser import ripser
    from scipy.spatial.distance import pdist, squareform

    if embeddings.ndim != 2 or len(embeddings) < 2 or not np.isfinite(embeddings).all():
        raise ValueError(
            "Argument 'embeddings' must be finite and of shape (at least 2, D), "
            f"got {embeddings.shape}."
        )
    distances = pdist(embeddings.astype(float))
    scale = np.median(distances) or distances.max() or 1.0
    result = ripser(squareform(distances / scale), maxdim=max_dimension, distance_matrix=True)
    return [diagram[np.isfinite(diagram[:, 1])] for diagram in result["dgms"]]


def summarise_diagram(diagram: np.ndarray) -> DiagramSummary:
    """Summarise the lifetimes of a persistence diagram.

    Args:
        diagram: Births and deaths, shape (features, 2).

    Returns:
        Number, sum, maximum and entropy of the lifetimes.

    Example:
        >>> summary = summarise_diagram(np.array([[0.0, 1.0], [1.0, 3.0], [0.0, 1.0]]))
        >>> float(summary.entropy)  # of the shares 1/4, 1/2, 1/4
        1.5
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
    """Bottleneck and Wasserstein distance between two persistence diagrams.

    Every feature is matched with a feature of the other diagram or with the diagonal, where
    lifetimes are zero. The bottleneck distance is the smallest possible maximum over the matched
    pairs of the difference in births or deaths, whichever is larger. The Wasserstein distance (of
    order 1) is the smallest possible sum of their Euclidean distances.

    Args:
        first: Births and deaths of the first diagram, shape (features, 2).
        second: Births and deaths of the second diagram, shape (features, 2).

    Returns:
        Bottleneck distance and Wasserstein distance.

    Source:
        Edelsbrunner and Harer (2010), section VIII.2.

    Example:
        >>> diagram_distances(np.array([[0.0, 4.0]]), np.array([[0.0, 5.0]]))
        (1.0, 1.0)
    """
    import warnings

    from persim import wasserstein

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # persim warns about empty diagrams
        return _bottleneck(first, second), float(wasserstein(first, second))


def _bottleneck(first: np.ndarray, second: np.ndarray) -> float:
    """Bottleneck distance by bisection over the possible distances.

    At a given distance, only features further from the diagonal need a partner. If a matching
    covers these features of the first diagram and another one those of the second, a single
    matching covers both (Mendelsohn and Dulmage, 1958). The implementation of persim takes minutes
    for some diagrams of a few hundred features.
    """
    distances = np.abs(first[:, None] - second).max(axis=2)
    halves = [(diagram[:, 1] - diagram[:, 0]) / 2 for diagram in (first, second)]
    candidates = np.unique(np.concatenate([[0.0], distances.ravel(), *halves]))
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        limit = candidates[middle]
        near = distances <= limit
        fits = _matches_all_rows(near[halves[0] > limit])
        fits = fits and _matches_all_rows(near.T[halves[1] > limit])
        low, high = (low, middle) if fits else (middle + 1, high)
    return float(candidates[low])


def _matches_all_rows(within: np.ndarray) -> bool:
    """Whether every row can be matched with a column of its own where `within` is True."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if not within.any(axis=1).all():
        return False
    return bool((maximum_bipartite_matching(csr_array(within), perm_type="column") >= 0).all())
