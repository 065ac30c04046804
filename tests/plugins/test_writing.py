import pytest
from matplotlib import pyplot as plt

from autrainer_ext.atomic import UnwritableError
from autrainer_ext_plugins.writing import save_figure


def draw(title):
    figure, axes = plt.subplots()
    axes.plot([1, 2], [3, 4], clip_on=True, marker="o")
    axes.set_title(title)
    return figure


def test_equal_figures_give_equal_bytes(tmp_path):
    for name, title in (("a", "same"), ("b", "same"), ("c", "other")):
        save_figure(draw(title), tmp_path / name)
    for suffix in (".svg", ".png"):
        first, second, other = (tmp_path.joinpath(name + suffix).read_bytes() for name in "abc")
        assert first == second
        assert first != other
    assert b"<dc:date>" not in (tmp_path / "a.svg").read_bytes()


def test_a_full_disk_names_the_figure(tmp_path, file_size_limit):
    with file_size_limit(500), pytest.raises(UnwritableError, match=r"x\.png' cannot be written"):
        save_figure(draw("any"), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
