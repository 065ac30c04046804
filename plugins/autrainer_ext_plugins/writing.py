"""Tables and figures of plugins: each file appears whole or not at all."""

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.atomic import atomic_file


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, numbers with eight significant digits.

    Args:
        table: The table; its index is not written.
        path: File to make or to replace.
    """
    with atomic_file(path) as part:
        table.to_csv(part, index=False, float_format="%.8g")


def save_figure(figure: Figure, stem: Path) -> None:
    """Save a figure as PNG and SVG and close it.

    Args:
        figure: The figure.
        stem: Path without a suffix; dots in its name are kept.
    """
    for suffix in (".png", ".svg"):
        with atomic_file(stem.with_name(stem.name + suffix)) as part:
            figure.savefig(part, dpi=150)
    plt.close(figure)
