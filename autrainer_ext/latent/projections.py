"""Projections of embeddings to the plane: t-SNE, Isomap and UMAP."""

import numpy as np

from autrainer_ext.errors import unknown_name

PROJECTIONS = ("tsne", "isomap", "umap")
_NEIGHBOURS = 15


def project(
    embeddings: np.ndarray,
    method: str,
    *,
    seed: int = 0,
    perplexity: float = 30.0,
    landmarks: int = 2000,
) -> np.ndarray:
    """Project embeddings to the plane so that neighbours stay neighbours.

    The scale and orientation of the coordinates are arbitrary, and distances between clusters mean
    little. Embeddings of more than 50 dimensions are first reduced to 50 principal components.

    Args:
        embeddings: Embeddings, shape (N, D), N at least 4, finite.
        method: "tsne", "isomap", or "umap" if umap-learn is installed.
        seed: Seed of the random draws. Default: 0.
        perplexity: Effective number of neighbours in t-SNE, limited to (N - 1) / 3. Default: 30.
        landmarks: Largest number of samples to fit Isomap on, since its cost grows with their
            square. The other samples are placed by their nearest landmarks. Default: 2000.

    Returns:
        Coordinates, shape (N, 2).

    Raises:
        ValueError: If the method does not exist, the shape is wrong or a value is not finite.
        ModuleNotFoundError: If the method is "umap" and umap-learn is not installed.

    Source:
        van der Maaten and Hinton (2008), Visualizing data using t-SNE; Tenenbaum et al. (2000), A
        global geometric framework for nonlinear dimensionality reduction; McInnes et al. (2018),
        UMAP.
    """
    if method not in PROJECTIONS:
        raise unknown_name("projection", method, PROJECTIONS)
    if embeddings.ndim != 2 or len(embeddings) < 4 or not np.isfinite(embeddings).all():
        raise ValueError(
            "Argument 'embeddings' must be finite and of shape (at least 4, D), "
            f"got {embeddings.shape}."
        )
    points = _principal(embeddings, seed)
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(perplexity, (len(points) - 1) / 3)
        is_flat = np.ptp(points) == 0 or points.shape[1] < 2
        return TSNE(
            perplexity=perplexity, init="random" if is_flat else "pca", random_state=seed
        ).fit_transform(points)
    if method == "isomap":
        return _isomap(points, seed, landmarks)
    try:
        from umap import UMAP
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Projection 'umap' needs umap-learn: pip install umap-learn."
        ) from error
    neighbours = min(_NEIGHBOURS, len(points) - 1)
    return np.asarray(
        UMAP(n_neighbors=neighbours, n_jobs=1, random_state=seed).fit_transform(points)
    )


def _principal(embeddings: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA

    points = np.asarray(embeddings, dtype=np.float32)
    if points.shape[1] <= 50 or len(points) <= 50:
        return points
    return PCA(50, svd_solver="randomized", random_state=seed).fit_transform(points)


def _isomap(points: np.ndarray, seed: int, landmarks: int) -> np.ndarray:
    import warnings

    from sklearn.manifold import Isomap

    from .embeddings import subsample

    chosen = subsample(len(points), landmarks, seed)
    isomap = Isomap(n_neighbors=min(_NEIGHBOURS, len(chosen) - 1), n_components=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of connected components")
        warnings.filterwarnings("ignore", "Changing the sparsity structure")
        isomap.fit(points[chosen])
    return isomap.transform(points)
