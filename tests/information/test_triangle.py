import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.information import (
    VIEWS,
    TrianglePoint,
    cartesian,
    entropies,
    triangle_points,
)

from .test_entropies import TABLES, slow


def coordinates(counts, **options):
    points = triangle_points(entropies(counts, **options))
    return {view: (p.divergence, p.mutual_information, p.variation) for view, p in points.items()}


@pytest.mark.parametrize(
    ("counts", "view", "expected"),
    [
        ([[8, 0, 0], [0, 5, 0], [0, 0, 3]], "true", (0.06797984, 0.93202016, 0)),
        ([[8, 0, 0], [0, 5, 0], [0, 0, 3]], "pred", (0.06797984, 0.93202016, 0)),
        (
            [[14, 16, 14], [16, 13, 26], [20, 14, 13]],
            "true",
            (0.00408631, 0.01783582, 0.97807787),
        ),
        (
            [[14, 16, 14], [16, 13, 26], [20, 14, 13]],
            "pred",
            (0.00342309, 0.01783582, 0.97874109),
        ),
        ([[68, 2, 4], [29, 3, 2], [20, 2, 3]], "true", (0.09970179, 0.01208089, 0.88821732)),
        ([[68, 2, 4], [29, 3, 2], [20, 2, 3]], "pred", (0.59042184, 0.01208089, 0.39749728)),
    ],
)
def test_published_coordinates(counts, view, expected):
    np.testing.assert_allclose(coordinates(counts)[view], expected, rtol=0, atol=5.1e-9)


@settings(deadline=None, max_examples=300)
@given(TABLES, st.booleans())
def test_coordinates_sum_to_one(counts, miller_madow):
    for view, point in coordinates(counts, miller_madow=miller_madow).items():
        assert sum(point) == pytest.approx(1, abs=1e-10), view
        if not miller_madow:
            assert min(point) >= 0, view


@settings(deadline=None, max_examples=200)
@given(TABLES)
def test_coordinates_are_those_of_a_loop_over_cells(counts):
    h_true, h_pred, _, h_true_given_pred, h_pred_given_true, shared = slow(counts)
    found = coordinates(counts)
    log_true, log_pred = np.log2(counts.shape)
    if log_true:
        expected = np.array([log_true - h_true, shared, h_true_given_pred]) / log_true
        np.testing.assert_allclose(found["true"], expected, rtol=0, atol=1e-10)
    if log_pred:
        expected = np.array([log_pred - h_pred, shared, h_pred_given_true]) / log_pred
        np.testing.assert_allclose(found["pred"], expected, rtol=0, atol=1e-10)
    if log_true + log_pred:
        divergence = log_true + log_pred - h_true - h_pred
        expected = np.array([divergence, 2 * shared, h_true_given_pred + h_pred_given_true])
        expected /= log_true + log_pred
        np.testing.assert_allclose(found["joint"], expected, rtol=0, atol=1e-10)


@settings(deadline=None)
@given(TABLES)
def test_views_of_square_matrices_lie_on_a_level_line(counts):
    size = min(counts.shape)
    square = counts[:size, :size] + np.eye(size, dtype=int)
    found = {view: np.array(point) for view, point in coordinates(square).items()}
    assert found["true"][1] == pytest.approx(found["pred"][1], abs=1e-12)
    middle = (found["true"] + found["pred"]) / 2
    np.testing.assert_allclose(found["joint"], middle, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(20))
def test_sparse_matrices_with_absent_classes_sum_to_one(seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.2, (50, 10, 10))
    counts[:, seed % 10] = 0  # never true, but predicted
    counts[:, :, (seed + 3) % 10] = 0  # never predicted, but true
    counts[:, seed % 10 - 1, seed % 10] += 1
    for view, point in coordinates(counts).items():
        np.testing.assert_allclose(sum(point), 1, rtol=0, atol=1e-10, err_msg=f"{seed} {view}")


def test_corners():
    perfect, guessing, constant = np.eye(5), np.ones((5, 5)), np.zeros((5, 5))
    constant[2, 4] = 9
    for counts, corner in ((perfect, (0, 1, 0)), (guessing, (0, 0, 1)), (constant, (1, 0, 0))):
        for view, point in coordinates(counts).items():
            np.testing.assert_allclose(point, corner, atol=1e-12, err_msg=view)


def test_one_class_lies_where_empty_classes_would_put_it():
    found = coordinates([[7]])
    assert list(found) == list(VIEWS)
    assert found == coordinates([[7, 0], [0, 0]]) == dict.fromkeys(VIEWS, (1, 0, 0))
    # a single true class, predicted as two: only its own side has nothing to divide
    rectangle = coordinates([[4, 4]])
    assert rectangle["true"] == (1, 0, 0)
    assert rectangle["pred"] == rectangle["joint"] == (0, 0, 1)


def test_adding_an_empty_class_only_adds_divergence():
    counts = np.array([[5, 2], [1, 4]])
    padded = np.pad(counts, ((0, 2), (0, 2)))
    divergence, shared, rest = coordinates(counts)["true"]
    # log2 4 is twice log2 2
    np.testing.assert_allclose(
        coordinates(padded)["true"], [(divergence + 1) / 2, shared / 2, rest / 2], atol=1e-12
    )


def test_places_in_the_plane():
    corners = TrianglePoint(np.array([1, 0, 0]), np.array([0, 1, 0]), np.array([0, 0, 1]))
    x, y = cartesian(corners)
    np.testing.assert_allclose(x, [1, 0.5, 0])
    np.testing.assert_allclose(y, [0, np.sqrt(3) / 2, 0])


def test_points_off_the_plane_are_rejected():
    with pytest.raises(ValueError, match="must sum to one, got 1.1"):
        TrianglePoint(np.float64(0.5), np.float64(0.5), np.float64(0.1))
