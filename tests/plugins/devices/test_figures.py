import pandas as pd
from matplotlib import pyplot as plt

from autrainer_ext_plugins.devices.figures import draw_devices


def test_every_run_has_a_row_and_every_device_and_group_a_column():
    rows = [
        (run, device, group, 150, 0.5, 0.4, 0.6)
        for run in ("Toy-a_1", "Toy-b_1")
        for device, group in (("a", "seen"), ("c", "unseen"), ("", "seen"), ("", "all"))
    ]
    columns = ["run", "device", "group", "n_samples", "accuracy", "accuracy_low", "accuracy_high"]
    figure = draw_devices(pd.DataFrame(rows, columns=columns), "device")
    texts = {text.get_text() for axes in figure.axes for text in axes.findobj(plt.Text)}
    assert {"a", "c", "all seen", "all devices"} <= texts
    assert any("50" in text for text in texts)
    plt.close(figure)
