import matplotlib
import numpy as np
import pytest
from matplotlib.colors import Normalize, to_hex
from matplotlib.path import Path

from autrainer_ext.information import TrianglePoint, cartesian, entropies, triangle_points
from autrainer_ext.plotting import Look
from autrainer_ext.plotting.triangle import (
    draw_region,
    draw_trajectory,
    draw_triangle,
    draw_views,
    enlarge,
    view_handles,
)

matplotlib.use("agg")
LOOK = Look("#D55E00", "s", "--")
CORNERS = TrianglePoint(*np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=float))


@pytest.fixture
def axes():
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(subplot_kw={"projection": "ternary"})
    yield draw_triangle(axes, "dev")
    plt.close(figure)


def plane(axes, artist):
    """Offsets of markers in the plane whose corners are (0, 0), (1, 0) and (1/2, sqrt(3)/2)."""
    left, right = axes.transProjection.transform([[0, 1, 0], [0, 0, 1]])
    return (artist.get_offsets() - left) / (right - left)[0]


def test_corners_are_where_their_names_say(axes):
    # the first is all mutual information, then all divergence, then all variation
    draw_views(axes, {"joint": CORNERS}, LOOK)
    expected = [[0.5, np.sqrt(3) / 2], [1, 0], [0, 0]]
    np.testing.assert_allclose(plane(axes, axes.collections[0]), expected, atol=1e-12)
    np.testing.assert_allclose(np.transpose(cartesian(CORNERS)), expected, atol=1e-12)
    names = {text.get_text(): text.xy for text in axes.texts}
    assert names == {"mutual information": (0.5, 1), "divergence": (1, 0), "variation": (0, 0)}
    assert axes.get_title() == "dev"


def test_glyphs_tell_the_views_apart(axes):
    points = triangle_points(entropies([[8, 3, 0], [2, 6, 1], [1, 1, 2]]))
    assert draw_views(axes, points, LOOK) is axes
    true, pred, joint = axes.collections
    for view, drawn in zip(points, axes.collections, strict=True):
        expected = np.reshape(cartesian(points[view]), (1, 2))
        np.testing.assert_allclose(plane(axes, drawn), expected, atol=1e-12, err_msg=view)
    cross, circle = (drawn.get_paths()[0] for drawn in (true, pred))
    assert len(cross.vertices) < len(circle.vertices)
    assert len(pred.get_facecolor()) == 0
    assert to_hex(pred.get_edgecolor()[0]) == to_hex(joint.get_facecolor()[0]) == "#d55e00"
    assert [handle.get_marker() for handle in view_handles()] == ["x", "o", "o"]


def trajectory(length):
    rng = np.random.default_rng(0)
    return triangle_points(entropies(rng.integers(1, 20, (length, 4, 4))))


def test_trajectory_marks_two_dozen_points_in_the_colour_of_their_iteration(axes):
    points, iterations = trajectory(250), np.arange(1, 251)
    draw_trajectory(axes, points, iterations, Normalize(1, 250))
    line, markers = axes.collections[:2]
    assert len(line.get_segments()) == 249
    assert len(markers.get_offsets()) == 24
    x, y = cartesian(points["true"])
    np.testing.assert_allclose(plane(axes, markers)[[0, -1]], [[x[0], y[0]], [x[-1], y[-1]]])
    assert markers.get_array()[[0, -1]].tolist() == [1, 250]
    sizes = markers.get_sizes()
    assert (sizes[-1] > sizes[:-1]).all()


def test_single_iteration_is_a_point(axes):
    draw_trajectory(axes, trajectory(1), np.array([7]), Normalize(7, 7))
    markers = axes.collections[1]
    assert len(markers.get_offsets()) == 1


@pytest.mark.parametrize("seed", range(5))
def test_enlarged_part_holds_all_points(axes, seed):
    rng = np.random.default_rng(seed)
    centre = rng.dirichlet([0.3, 0.3, 0.3])
    around = 0.9 * centre + 0.1 * rng.dirichlet([1, 1, 1], size=20)
    point = TrianglePoint(*around.T)
    enlarge(axes, [point, TrianglePoint(*np.full((3, 2), np.nan))])
    limits = [axes.get_rlim(), axes.get_tlim(), axes.get_llim()]
    for values, (low, high) in zip(around.T, limits, strict=True):
        assert 0 <= low <= values.min(), seed
        assert values.max() <= high <= 1, seed
    side = 1 - sum(low for low, _ in limits)
    assert side == pytest.approx(0.2), seed
    (inset,) = axes.child_axes
    assert inset.get_title() == "enlarged\n5 times"
    whole, part = (patch.get_xy()[:3] for patch in inset.patches)
    low = np.array([low for low, _ in limits])  # divergence, mutual information, variation
    expected = cartesian(TrianglePoint(*(low + side * np.eye(3)).T))
    np.testing.assert_allclose(sorted(part.tolist()), sorted(np.transpose(expected).tolist()))
    np.testing.assert_allclose(whole.min(axis=0), 0, atol=1e-12)


def test_spread_points_show_the_whole(axes):
    enlarge(axes, [CORNERS])
    np.testing.assert_allclose([axes.get_tlim(), axes.get_llim()], [[0, 1], [0, 1]], atol=1e-9)
    enlarge(axes, [])
    np.testing.assert_allclose(axes.get_tlim(), [0, 1], atol=1e-9)
    assert not axes.child_axes


LIMITS = [
    [[0.1, 0.3], [0.2, 0.5], [0.3, 0.6]],
    [[0, 0.02], [0.6, 0.8], [0.2, 0.4]],  # at the left edge
    [[0, 0.1], [0.9, 1], [0, 0.1]],  # in the top corner
    [[0, 1], [0, 1], [0, 1]],
    [[0.2, 0.2], [0.1, 0.3], [0, 1]],  # known divergence: a line
]


@pytest.mark.parametrize("limits", LIMITS)
def test_region_is_what_lies_between_all_limits(axes, limits):
    corners = draw_region(axes, np.array(limits), LOOK)
    polygon = np.transpose(cartesian(corners))
    for values, (low, high) in zip(vars(corners).values(), limits, strict=True):
        assert (values >= low - 1e-9).all()
        assert (values <= high + 1e-9).all()
    # a fine grid of the triangle: inside the polygon exactly where all limits hold
    steps = np.linspace(0, 1, 101)
    shares = np.array([(d, i, 1 - d - i) for d in steps for i in steps if d + i <= 1])
    within = (
        (shares > np.array(limits)[:, 0] + 1e-9) & (shares < np.array(limits)[:, 1] - 1e-9)
    ).all(axis=1)
    x, y = cartesian(TrianglePoint(*shares.T))
    inside = Path(polygon).contains_points(np.stack([x, y], axis=1), radius=1e-9)
    assert (inside[within]).all()
    outside = (
        (shares < np.array(limits)[:, 0] - 1e-9) | (shares > np.array(limits)[:, 1] + 1e-9)
    ).any(axis=1)
    assert not inside[outside].any()
    (patch,) = axes.patches
    assert patch.get_linestyle() == "--"


def test_region_without_limits_or_points_is_empty(axes):
    for limits in ([[0.1, np.nan], [0.2, 0.5], [0.3, 0.6]], [[0.6, 0.7], [0.6, 0.7], [0, 1]]):
        assert draw_region(axes, np.array(limits), LOOK).divergence.size == 0
    assert not axes.patches
