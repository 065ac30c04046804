"""Plugin `ClassRecall`: recall of every class."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt

from autrainer_ext.runs import Run, read_outputs
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import save_figure, write_table


class ClassRecall(AbstractPlugin):
    """Write `recall.csv`, one row per run and class, and a bar chart.

    Args:
        split: Split to score, "dev" or "test".
    """

    folder = "class_recall"

    def __init__(self, split: str = "test") -> None:
        self.split = split

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Write the table and the figure."""
        rows = []
        for run in runs:
            outputs = read_outputs(run, self.split)
            is_right = outputs.outputs.argmax(axis=1) == outputs.targets
            for index, name in enumerate(outputs.class_names):
                recall = is_right[outputs.targets == index].mean()
                rows.append({"run": run.name, "class": name, "recall": recall})
        table = pd.DataFrame(rows)
        write_table(table, folder / "recall.csv")
        figure, axes = plt.subplots(layout="constrained")
        table.pivot(index="class", columns="run", values="recall").plot.bar(ax=axes)
        save_figure(figure, folder / "recall")
