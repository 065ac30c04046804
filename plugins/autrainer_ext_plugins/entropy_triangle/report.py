"""Write the tables and figures of confusion matrices in the entropy triangle."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from autrainer_ext.atomic import atomic_file
from autrainer_ext.information import confusion_counts
from autrainer_ext.information.posterior import N_DRAWS
from autrainer_ext.runs import RunOutputs
from autrainer_ext.style import Style
from autrainer_ext_plugins.writing import write_table

from .comparison import ShownOutputs, comparison_table, describe
from .figures import write_figures
from .tables import (
    COLUMNS,
    ConfusionMatrix,
    IntervalSettings,
    coordinate_table,
    summary_table,
    without_constant,
)


def write_triangle(
    confusions: Sequence[ConfusionMatrix],
    settings: IntervalSettings,
    folder: Path,
    *,
    checkpoint: str = "last",
    figures: bool = True,
    quiet: bool = False,
) -> pd.DataFrame:
    """Write `coordinates.csv`, `summary.csv` and the figures.

    Args:
        confusions: Confusion matrices.
        settings: Settings of the intervals over samples.
        folder: Folder to write to.
        checkpoint: "best" if the summary and its figures show the best iteration on dev, "last" for
            the last iteration.
        figures: Whether to draw figures.
        quiet: Whether to hide progress bars.

    Returns:
        Table of the coordinates.
    """
    table = coordinate_table(confusions, settings, checkpoint, quiet=quiet)
    write_table(without_constant(table[COLUMNS]), folder / "coordinates.csv")
    summary = summary_table(table, settings.confidence, checkpoint)
    written = without_constant(summary).rename(columns={"family": "runs"})
    write_table(written, folder / "summary.csv")
    if figures:
        write_figures(table, summary, folder, confidence=settings.confidence, quiet=quiet)
    return table


def write_comparison(
    outputs: Sequence[ShownOutputs], settings: IntervalSettings, folder: Path
) -> None:
    """Write `comparison.csv` and, in words, `comparison.txt`.

    Args:
        outputs: Labels of all runs at the iteration of the summary.
        settings: Settings of the intervals over samples.
        folder: Folder to write to.
    """
    table = comparison_table(outputs, settings)
    write_table(table, folder / "comparison.csv")
    with atomic_file(folder / "comparison.txt") as part:
        part.write_text("\n".join(describe(table, settings.confidence)) + "\n")


def write_outputs_triangle(parts: Sequence[tuple[str, RunOutputs]], folder: Path) -> None:
    """Write the entropy triangle of outputs, with intervals.

    Args:
        parts: Name and outputs of every point.
        folder: Folder to write to.
    """
    matrices = [
        ConfusionMatrix(
            counts=confusion_counts(
                outputs.targets, outputs.outputs.argmax(axis=1), len(outputs.class_names)
            ),
            run=name,
            family=name,
            criterion=name,
            seed="",
            split="test",
            iteration=1,
        )
        for name, outputs in parts
    ]
    with Style().applied():
        write_triangle(matrices, IntervalSettings("all", 0.95, N_DRAWS, 0), folder, quiet=True)
