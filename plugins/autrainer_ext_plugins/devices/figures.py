"""Figure of the accuracy per device."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.plotting.devices import draw_device_table
from autrainer_ext.runs import run_labels

from .tables import GROUPS


def draw_devices(devices: pd.DataFrame, column: str) -> Figure:
    """Draw the accuracy of each run on each device and group of devices.

    Args:
        devices: Table with one row per run and part of the samples: `run`, the column of the
            device ("" for a group), `group`, `accuracy`, `accuracy_low` and `accuracy_high`.
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
    labels = run_labels(runs)
    width = 0.6 * len(columns) + 0.07 * max(map(len, labels)) + 0.6
    figure, axes = plt.subplots(figsize=(width, 1.5 + 0.36 * len(runs)), layout="constrained")
    draw_device_table(
        axes,
        values,
        half_widths,
        labels,
        columns,
        blocks={heading: len(block) for heading, block in blocks.items() if block},
    )
    figure.suptitle("test accuracy in %, ± half of the 95 % interval", fontsize=9)
    return figure


def _heading(group: str) -> str:
    """Heading of the column of a group."""
    return "all devices" if group == "all" else f"all {group}"
