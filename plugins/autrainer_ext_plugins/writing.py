"""Write tables and figures; each file appears complete or not at all."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.atomic import atomic_file

# the ids in an SVG are otherwise drawn anew in every process
_SVG: Any = {"svg.hashsalt": "autrainer-ext"}


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV with eight significant digits.

    Args:
        table: Table; its index is not written.
        path: File to create or replace.
    """
    with atomic_file(path) as part:
        table.to_csv(part, index=False, float_format="%.8g")


def save_figure(figure: Figure, stem: Path) -> None:
    """Save a figure as PNG and SVG and close it; equal figures give equal bytes.

    Args:
        figure: Figure.
        stem: Path without the suffix; dots in the name are kept.
    """
    for suffix in (".png", ".svg"):
        with plt.rc_context(_SVG), atomic_file(stem.with_name(stem.name + suffix)) as part:
            figure.savefig(part, metadata={"Date": None} if suffix == ".svg" else None)
    plt.close(figure)
