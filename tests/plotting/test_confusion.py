import matplotlib
import numpy as np
import pytest

from autrainer_ext.plotting import draw_confusion

matplotlib.use("agg")


@pytest.fixture
def axes():
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_shares_are_those_of_each_true_class(axes):
    counts = np.array([[3, 1, 0], [0, 5, 0], [0, 0, 0]])
    assert draw_confusion(axes, counts, ["a_b", "c", "d"]) is axes
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[75, 25, 0], [0, 100, 0], [0, 0, 0]])
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "75", (1, 0): "25", (1, 1): "100"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a b", "c", "d"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert counts.tolist() == [[3, 1, 0], [0, 5, 0], [0, 0, 0]]
