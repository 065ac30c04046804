import warnings

import numpy as np
import persim
import pytest

from autrainer_ext.latent import diagram_distances, persistence_diagrams, summarise_diagram


def spanning_tree(points):
    """Lengths of the edges of the minimum spanning tree, by Prim's algorithm."""
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    reached, lengths = distances[0].copy(), []
    left = set(range(1, len(points)))
    while left:
        nearest = min(left, key=lambda i: reached[i])
        lengths.append(reached[nearest])
        left.remove(nearest)
        reached = np.minimum(reached, distances[nearest])
    return np.sort(lengths)


def test_clusters_die_at_the_edges_of_the_minimum_spanning_tree():
    points = np.random.default_rng(0).normal(size=(40, 3))
    clusters, _ = persistence_diagrams(points)
    distances = np.linalg.norm(points[:, None] - points, axis=2)[np.triu_indices(40, 1)]
    assert (clusters[:, 0] == 0).all()
    np.testing.assert_allclose(
        np.sort(clusters[:, 1]), spanning_tree(points) / np.median(distances), rtol=1e-5
    )


def test_square_has_one_loop_born_with_its_sides_and_filled_at_its_diagonal():
    square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    clusters, loops = persistence_diagrams(square)
    np.testing.assert_allclose(clusters, [[0, 1]] * 3)  # the median distance is a side
    np.testing.assert_allclose(loops, [[1, np.sqrt(2)]], rtol=1e-6)


def test_scale_and_position_do_not_matter():
    points = np.random.default_rng(0).normal(size=(30, 2))
    for diagram, other in zip(
        persistence_diagrams(points), persistence_diagrams(50 * points + 7), strict=True
    ):
        np.testing.assert_allclose(diagram, other, atol=1e-4)


def test_three_clouds_leave_two_clusters_that_last():
    rng = np.random.default_rng(0)
    points = 30 * np.eye(3)[np.arange(60) % 3] + rng.normal(size=(60, 3))
    (clusters,) = persistence_diagrams(points, max_dimension=0)
    summary = summarise_diagram(clusters)
    assert summary.n_features == 59
    assert summary.n_lasting == 2
    assert summary.longest == clusters[:, 1].max()


def test_summary_of_a_hand_worked_diagram():
    summary = summarise_diagram(np.array([[0.0, 1.0], [1.0, 2.0], [0.0, 2.0], [3.0, 3.0]]))
    assert (summary.n_features, summary.total, summary.longest) == (4, 4.0, 2.0)
    assert summary.entropy == pytest.approx(1.5)  # shares 1/4, 1/4, 1/2


@pytest.mark.parametrize("diagram", [np.zeros((0, 2)), np.ones((3, 2))])
def test_diagrams_without_a_lifetime_are_all_zero(diagram):
    summary = summarise_diagram(diagram)
    assert summary.n_features == len(diagram)
    assert summary.total == summary.longest == summary.entropy == summary.n_lasting == 0


def test_equal_samples_have_no_topology():
    clusters, loops = persistence_diagrams(np.ones((5, 2)))
    assert clusters.max(initial=0) == 0
    assert len(loops) == 0


def test_distances_of_hand_worked_diagrams():
    first, second = np.array([[0.0, 4.0]]), np.array([[0.0, 5.0], [1.0, 1.5]])
    bottleneck, wasserstein = diagram_distances(first, second)
    assert bottleneck == pytest.approx(1)
    # (0, 4) to (0, 5), and the short one to the diagonal
    assert wasserstein == pytest.approx(1 + 0.5 / np.sqrt(2))
    assert diagram_distances(first, first) == (0, 0)
    empty = np.zeros((0, 2))
    assert diagram_distances(empty, empty) == (0, 0)
    assert diagram_distances(first, empty) == pytest.approx((2, 4 / np.sqrt(2)))
    assert diagram_distances(empty, first) == pytest.approx((2, 4 / np.sqrt(2)))


@pytest.mark.parametrize("points", [np.zeros((1, 2)), np.full((4, 2), np.inf), np.zeros(4)])
def test_unfit_input_is_rejected(points):
    with pytest.raises(ValueError, match="must be finite and of shape"):
        persistence_diagrams(points)


@pytest.mark.parametrize("sizes", [(0, 0), (0, 3), (1, 1), (5, 2), (12, 9)])
def test_bottleneck_distance_is_that_of_persim(sizes):
    rng = np.random.default_rng(sum(sizes))
    for _ in range(10):
        diagrams = [np.sort(rng.random((size, 2)), axis=1) for size in sizes]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            expected = persim.bottleneck(*diagrams) if all(sizes) else _half_longest(diagrams)
        assert diagram_distances(*diagrams)[0] == pytest.approx(expected, abs=1e-12)


def _half_longest(diagrams):
    return max(
        (np.ptp(diagram, axis=1).max() / 2 for diagram in diagrams if len(diagram)), default=0
    )


def test_bottleneck_distance_of_clusters_that_nearly_coincide():
    # hundreds of features born at zero, most of which die almost at once: persim needs minutes
    rng = np.random.default_rng(0)
    first = np.stack([np.zeros(300), np.r_[rng.random(30), 1e-3 * rng.random(270)]], axis=1)
    second = first + np.stack([np.zeros(300), 1e-5 * rng.random(300)], axis=1)
    assert 0 < diagram_distances(first, second)[0] <= 1e-5
