"""Figure of the accuracy per device."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.plotting.devices import draw_device_table
from autrainer_ext.plotting.page import fold, page_size, set_title
from autrainer_ext.runs import run_labels

from .tables import GROUPS


def draw_devices(devices: pd.DataFrame, column: str) -> Figure:
    """Draw the accuracy of each run on each device and group of devices.

    Args:
        devices: Table with one row per run and part of the samples: `run`, the column of the
            device ("" for a group), `group`, `n_samples`, `accuracy`, `accuracy_low` and
            `accuracy_high`.
        column: Name of the column of the device.

    Returns:
        Figure with one row per run.
    """
    is_device = devices[column] != ""
    percent = devices.assign(
        name=devices[column].where(is_device, devices["group"].map(_heading)),
        value=100 * devices["accuracy"],
        half_width=50 * (devices["accuracy_high"] - devices["accuracy_low"]),
    )
    is_seen = (percent["group"] == "seen").groupby(percent["name"]).all()  # for all runs
    names = list(dict.fromkeys(percent.loc[is_device, "name"]))
    groups = [_heading(group) for group in GROUPS if _heading(group) in is_seen]
    blocks = {
        "seen": [name for name in names if is_seen[name]],
        "unseen": [name for name in names if not is_seen[name]],
        "": groups,
    }
    columns = [name for block in blocks.values() for name in block]
    runs = list(dict.fromkeys(devices["run"]))
    values, half_widths = (
        percent.pivot_table(index="run", columns="name", values=what, dropna=False)
        .reindex(index=runs, columns=columns)
        .to_numpy(dtype=float)
        for what in ("value", "half_width")
    )
    labels = [fold(label, share=0.24) for label in run_labels(runs)]
    heading_lines = 5 + 0.4 * max(map(len, columns))
    n_lines = 1.0 + max(1, *(label.count("\n") for label in labels)) * len(runs) + heading_lines
    figure, axes = plt.subplots(figsize=page_size(lines=n_lines))
    draw_device_table(
        axes,
        values,
        half_widths,
        labels,
        columns,
        blocks={heading: len(block) for heading, block in blocks.items() if block},
    )
    sizes = sorted(set(devices.loc[is_device, "n_samples"]))
    n = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    title = f"Test accuracy in % per {column} (n = {n} each), ± half of the 95 % interval"
    set_title(figure, title)
    return figure


def _heading(group: str) -> str:
    """Heading of the column of a group."""
    return "all devices" if group == "all" else f"all {group}"
