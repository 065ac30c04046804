"""Separability of labels in a space of embeddings.

Conventions: every function returns one value per sample. The score is the mean of these values, and
its interval is that of a mean. Distances are Euclidean, without standardisation, in single
precision.
"""

from collections.abc import Iterator

import numpy as np

_ROWS = 1024


def silhouette(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Silhouette of every sample.

    s = (b - a) / max(a, b), where a is the mean distance to the other samples of the same label and
    b is the mean distance to the samples of the nearest other label.

    Args:
        embeddings: Embeddings, shape (N, D).
        labels: Label of every sample, shape (N,).

    Returns:
        Values in [-1, 1], shape (N,); 0 for the only sample of a label. All nan if there are fewer
        than two labels or as many labels as samples.

    Source:
        Rousseeuw (1987), Silhouettes. doi:10.1016/0377-0427(87)90125-7

    Example:
        >>> silhouette(np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1])).round(2)
        array([0.89, 0.88, 0.88, 0.89])
    """
    names, codes = np.unique(labels, return_inverse=True)
    if not 2 <= len(names) < len(codes):
        return np.full(len(codes), np.nan)
    counts = np.bincount(codes)
    members = np.eye(len(names), dtype=np.float32)[codes]
    values = np.zeros(len(codes))
    for rows, squares in _squared_distances(embeddings):
        own = codes[rows]
        position = np.arange(len(own))
        sums = np.sqrt(squares) @ members
        to_own = sums[position, own] / np.maximum(counts[own] - 1, 1)
        means = sums / counts
        means[position, own] = np.inf
        to_other = means.min(axis=1)
        largest = np.maximum(np.maximum(to_own, to_other), np.finfo(np.float32).tiny)
        values[rows] = np.where(counts[own] > 1, (to_other - to_own) / largest, 0.0)
    return values


def probe(
    embeddings: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    n_folds: int = 5,
    seed: int = 0,
) -> np.ndarray:
    """Correctness of a cross-validated linear probe for every sample.

    The probe is a logistic regression on standardised embeddings with equal weight for all labels.
    If labels are equally frequent, the score of chance is one over their number.

    Args:
        embeddings: Embeddings, shape (N, D).
        labels: Label of every sample, shape (N,).
        groups: Group of every sample, shape (N,); a group is never split between folds. Default:
            every sample is its own group.
        n_folds: Number of folds, at least 2. Default: 5.
        seed: Seed of the folds. Default: 0.

    Returns:
        1 for correct and 0 for wrong predictions, shape (N,). All nan if there is a single label
        or the rarest label has fewer groups than there are folds.

    Example:
        >>> labels = np.arange(20) % 2
        >>> float(probe(labels[:, None] + np.linspace(0, 0.1, 20)[:, None], labels).mean())
        1.0
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.asarray(labels)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    names = np.unique(labels)
    fewest = min((len(np.unique(groups[labels == name])) for name in names), default=0)
    if len(names) < 2 or fewest < n_folds:
        return np.full(len(labels), np.nan)
    found = np.zeros(len(labels))
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(embeddings, labels, groups):
        classifier = make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=200, class_weight="balanced")
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # close to the optimum is enough
            classifier.fit(embeddings[train], labels[train])
        found[test] = classifier.predict(embeddings[test]) == labels[test]
    return found


def nearest_on_other_devices(
    embeddings: np.ndarray,
    labels: np.ndarray,
    devices: np.ndarray,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Whether the nearest recording on another device has the same class.

    The score of chance is the share of the class among the recordings on other devices.

    Args:
        embeddings: Embeddings, shape (N, D).
        labels: Class of every recording, shape (N,).
        devices: Device of every recording, shape (N,).
        groups: Group of parallel recordings of every recording, shape (N,). Recordings of the same
            group are excluded, since they are too easy to find. Default: none are excluded.

    Returns:
        1 for the same and 0 for another class, shape (N,); nan without a recording to compare.

    Example:
        >>> z, classes = np.array([[0.0], [0.1], [5.0]]), np.array(["bus", "bus", "park"])
        >>> nearest_on_other_devices(z, classes, np.array(["a", "b", "b"]))
        array([1., 1., 0.])
    """
    labels, devices = (np.unique(x, return_inverse=True)[1] for x in (labels, devices))
    groups = None if groups is None else np.unique(groups, return_inverse=True)[1]
    found = np.full(len(labels), np.nan)
    for rows, squares in _squared_distances(embeddings):
        squares[devices[rows, None] == devices] = np.inf
        if groups is not None:
            squares[groups[rows, None] == groups] = np.inf
        nearest = squares.argmin(axis=1)
        is_reachable = np.isfinite(squares.min(axis=1))
        found[rows] = np.where(is_reachable, labels[nearest] == labels[rows], np.nan)
    return found


def _squared_distances(embeddings: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances to all samples, in blocks of rows, in single precision."""
    points = np.asarray(embeddings, dtype=np.float64)
    points = (points - points.mean(axis=0)).astype(np.float32)
    norms = np.einsum("nd,nd->n", points, points)
    for start in range(0, len(points), _ROWS):
        rows = slice(start, min(start + _ROWS, len(points)))
        squares = np.maximum(norms[rows, None] + norms - 2 * points[rows] @ points.T, 0)
        squares[np.arange(rows.stop - start), np.arange(start, rows.stop)] = 0
        yield rows, squares
