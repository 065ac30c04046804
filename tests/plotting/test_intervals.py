import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from autrainer_ext.plotting import draw_intervals, looks

matplotlib.use("agg")


@pytest.fixture
def axes():
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_rows_go_down_with_bars_from_limit_to_limit(axes):
    values, low, high = np.array([0.5, 0.2]), np.array([0.4, np.nan]), np.array([0.7, np.nan])
    assert draw_intervals(axes, values, low, high, looks(2), shift=0.1) is axes
    bar, point, _, other = axes.lines
    np.testing.assert_allclose(bar.get_xydata(), [[0.4, 0.1], [0.7, 0.1]])
    np.testing.assert_allclose(
        [p.get_xydata()[0] for p in (point, other)], [[0.5, 0.1], [0.2, 1.1]]
    )
    assert (point.get_marker(), other.get_marker()) == ("o", "s")
    bottom, top = axes.get_ylim()
    assert bottom > 1 > 0 > top
    draw_intervals(axes, values, low, high, looks(2), is_open=True, marker="x")
    assert (axes.lines[-1].get_markerfacecolor(), axes.lines[-1].get_marker()) == ("none", "x")


def test_looks_differ_without_colours():
    made = looks(88)
    assert len({(look.marker, look.line) for look in made[:44]}) == 44
    assert len({(look.marker, look.color) for look in made}) == 88
    assert len({look.marker for look in made[:11]}) == 11
    assert len({look.color for look in made[:8]}) == 8


def test_a_shape_returns_in_another_shade_of_grey():
    greys = [np.dot(to_rgb(look.color), (0.299, 0.587, 0.114)) for look in looks(22)]
    for first, second in zip(greys, greys[11:], strict=False):
        assert abs(first - second) > 0.15
