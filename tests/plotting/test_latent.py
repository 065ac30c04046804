import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib import pyplot as plt

from autrainer_ext.plotting.latent import draw_diagrams, draw_layers, draw_projection


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_every_label_has_its_points_and_a_mark_of_its_own(axes):
    points = np.random.default_rng(0).normal(size=(40, 2))
    labels = np.arange(40) % 10
    draw_projection(axes, points, labels, "class")
    seen = set()
    for label, drawn in enumerate(axes.collections):
        assert np.array_equal(drawn.get_offsets(), points[labels == label])
        outline = drawn.get_paths()[0].vertices.round(3).tobytes()
        seen.add((*drawn.get_facecolor()[0], outline))
    assert len(seen) == 10
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list("0123456789")


def test_numbers_with_a_fraction_become_shades(axes):
    values = np.linspace(0, 1, 30)
    draw_projection(axes, np.zeros((30, 2)), values, "difficulty")
    (drawn,) = axes.collections
    assert np.array_equal(drawn.get_array(), values)
    assert axes.get_legend() is None
    assert len(axes.figure.axes) == 2


def test_diagrams_show_births_and_deaths(axes):
    clusters, loops = np.array([[0.0, 1.0], [0.0, 2.0]]), np.zeros((0, 2))
    draw_diagrams(axes, [clusters, loops], "head")
    assert np.array_equal(axes.collections[0].get_offsets(), clusters)
    assert axes.get_xlim()[1] == axes.get_ylim()[1] == pytest.approx(2.1)
    assert [drawn.get_label() for drawn in axes.collections] == ["clusters", "loops"]


def test_diagrams_without_features_can_be_drawn(axes):
    draw_diagrams(axes, [np.zeros((0, 2)), np.zeros((3, 2))], "head")
    assert axes.get_xlim()[1] > 0


def test_lines_go_through_their_values_and_chance_is_marked(axes):
    values = np.array([0.9, 0.5, np.nan])
    lines = {"plain": (values, values - 0.1, values + 0.05), "siamese": (values, values, values)}
    draw_layers(axes, ["a", "b", "c"], lines, 0.25, "device")
    assert [container.get_label() for container in axes.containers] == ["plain", "siamese"]
    for container in axes.containers:
        np.testing.assert_array_equal(container[0].get_ydata(), values)
        assert np.abs(container[0].get_xdata() - [0, 1, 2]).max() < 0.5
    assert [text.get_text() for text in axes.texts] == ["chance"]
    broken = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in broken] == [0.25]


def test_unknown_chance_is_not_drawn(axes):
    draw_layers(axes, ["a"], {"run": (np.ones(1),) * 3}, np.nan, "class")
    assert not axes.texts
