import importlib.util

import numpy as np
import pytest

from autrainer_ext.latent import project


def clouds(n=60, dimension=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return 20 * np.eye(3, dimension)[labels] + rng.normal(size=(n, dimension)), labels


def share_of_neighbours_alike(points, labels):
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(distances, np.inf)
    return (labels[distances.argmin(axis=1)] == labels).mean()


@pytest.mark.parametrize("dimension", [8, 120])
def test_clusters_stay_clusters_under_tsne(dimension):
    z, labels = clouds(60, dimension)
    points = project(z, "tsne", seed=1, perplexity=10)
    assert points.shape == (60, 2)
    assert share_of_neighbours_alike(points, labels) == 1
    assert np.array_equal(points, project(z, "tsne", seed=1, perplexity=10))


@pytest.mark.parametrize("landmarks", [200, 40])
def test_isomap_unrolls_a_curve_from_all_samples_or_from_landmarks(landmarks):
    t = np.linspace(0, 4.5, 120)
    spiral = np.stack([t * np.cos(t), t * np.sin(t), np.zeros(120)], axis=1)
    if landmarks == 200:
        spiral = spiral[np.linspace(20, 119, 60).astype(int)]
    first = project(spiral, "isomap", landmarks=landmarks)[:, 0]
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(spiral, axis=0), axis=1))]
    assert abs(np.corrcoef(first, length)[0, 1]) > 0.9


@pytest.mark.skipif(importlib.util.find_spec("umap") is not None, reason="umap is installed")
def test_missing_umap_is_named():
    with pytest.raises(ModuleNotFoundError, match="pip install umap-learn"):
        project(clouds()[0], "umap")


@pytest.mark.parametrize("method", ["tsne", "isomap"])
@pytest.mark.parametrize("n", [4, 6])
def test_few_and_equal_samples_can_be_drawn(method, n):
    z, _ = clouds(n)
    assert np.isfinite(project(z, method)).all()
    assert project(np.ones((n, 3)), method).shape == (n, 2)


@pytest.mark.parametrize(
    ("z", "method", "message"),
    [
        (np.zeros((5, 2)), "pca", "Unknown projection 'pca'. Choose from: tsne, isomap, umap"),
        (np.zeros((3, 2)), "tsne", r"at least 4, D\), got \(3, 2\)"),
        (np.full((5, 2), np.nan), "tsne", "must be finite"),
    ],
)
def test_unfit_input_is_rejected(z, method, message):
    with pytest.raises(ValueError, match=message):
        project(z, method)
