import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from autrainer_ext.plotting.devices import draw_device_table


def test_cells_show_their_values_where_their_labels_are():
    values = np.array([[50.0, 60.25, np.nan], [100.0, 0.0, 12.0]])
    widths = np.array([[1.0, np.nan, 1.0], [2.0, 3.0, 4.0]])
    figure, axes = plt.subplots()
    draw_device_table(
        axes, values, widths, ["x", "y"], ["a", "b", "all"], blocks={"seen": 2, "": 1}
    )
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    texts = {
        (round(text.get_position()[0], 6), round(text.get_position()[1]), text.get_text())
        for text in axes.texts
    }
    assert ticks == ["a", "b", "all"]
    x = [round(position, 6) for position in axes.get_xticks()]
    assert x[2] - x[1] > x[1] - x[0]
    assert texts == {
        (round((x[0] + x[1]) / 2, 6), -1, "seen"),
        (x[2], -1, ""),
        (x[0], 0, "50.0"),
        (x[0], 0, "±1.0"),
        (x[1], 0, "60.2"),
        (x[0], 1, "100.0"),
        (x[0], 1, "±2.0"),
        (x[1], 1, "0.0"),
        (x[1], 1, "±3.0"),
        (x[2], 1, "12.0"),
        (x[2], 1, "±4.0"),
    }
    assert len(axes.images) == 5
    plt.close(figure)
