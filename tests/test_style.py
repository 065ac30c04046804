import matplotlib
import pytest
from matplotlib import pyplot as plt
from matplotlib import rcParams

from autrainer_ext.plotting.page import fold
from autrainer_ext.plugin import load_plugin
from autrainer_ext.style import Style

matplotlib.use("agg")


def test_a_block_has_the_style_whatever_the_style_outside_of_it():
    with plt.rc_context({"axes.facecolor": "black", "font.size": 20}):
        with Style(column_width=101.6, font_size=8).applied():
            assert rcParams["figure.figsize"][0] == pytest.approx(4)
            assert (rcParams["font.size"], rcParams["axes.facecolor"]) == (8, "white")
        assert (rcParams["font.size"], rcParams["axes.facecolor"]) == (20, "black")


@pytest.mark.parametrize("values", [{"column_width": 10}, {"font_size": "big"}])
def test_sizes_out_of_range_are_rejected(values):
    ((name, value),) = values.items()
    with pytest.raises(ValueError, match=f"Setting '{name}' must be a number.*got {value!r}"):
        Style(**values)


def test_every_plugin_has_the_settings_of_the_style():
    assert load_plugin("Devices").style == Style()
    shared = {"font_size": 9}
    assert load_plugin("Devices", {"column_width": 174}, shared).style == Style(174, 9)


def test_folded_lines_hold_the_whole_text():
    with Style().applied():
        for share in (0.1, 0.2, 0.5, 1):
            text = "ToyScenes-BalancedCrossEntropy_CPMobile-14k seed 1, " + 30 * "x"
            lines = fold(text, share=share).split("\n")
            assert "".join(lines).replace(" ", "") == text.replace(" ", "")
            assert max(map(len, lines)) * 0.6 * 7 <= max(72 * share * 85 / 25.4, 6 * 0.6 * 7)
