"""Plugin `Devices`: test results per recording device, and on seen and unseen devices."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pandas as pd

from autrainer_ext.runs import (
    Run,
    RunOutputs,
    column_folder,
    read_columns,
    read_metadata,
    read_outputs,
)
from autrainer_ext_plugins.conditions import (
    contributions,
    difference_table,
    parallel_groups,
)
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.run_columns import with_run_columns
from autrainer_ext_plugins.writing import save_figure, write_table

from .figures import draw_devices
from .tables import SCORES, class_tables, parts, sample_scores, scores


class Devices(AbstractPlugin):
    """Accuracy, log loss and entropy-modulated accuracy (EMA) on the test split, per device.

    A device is seen if it occurs in the training table. Files:

    - `devices.csv`: one row per run and device and for the groups "seen", "unseen" (if there are
      unseen devices) and "all", with the lower and upper limits of 95 % intervals.
    - `task1.csv`: the layout of DCASE Task 1: one row per run and class, with log loss and
      accuracy overall and per device.
    - `task1_overall.csv`: the same over all classes, one row per run.
    - `differences.csv`: differences in accuracy and log loss between all pairs of conditions (runs
      that differ in more than the seed) on the same recordings, for seen, unseen and all devices,
      with 95 % intervals over seeds and recordings (see `difference_table`).
    - `devices.png` and `.svg`: accuracy of each run on each device.

    All scores are means over samples; with equally many samples per class, as in the challenge,
    they equal the means over classes. Intervals are over samples. Recordings of one moment on
    several devices are not independent: with `group`, the intervals of accuracy and log loss
    are over whole groups. The intervals of EMA always treat samples as independent.

    Results for another column than "device" are in a folder named after the column. The defaults
    of the settings are in `conf/plugin/Devices.yaml`.

    Args:
        column: Column with the device in the tables of the data set.
        group: Column or columns whose values parallel recordings share. None uses the setting
            `parallel_group` of the run, if it has one.
        rebuild: Whether to build the data sets of runs without saved tables, which needs the data
            and imports the training code of the host.

    Raises:
        ValueError: If `column` is not the name of a column.
    """

    folder: ClassVar[str] = "devices"
    tasks: ClassVar[tuple[str, ...] | None] = ("classification",)

    def __init__(self, *, column: str, group: str | list[str] | None, rebuild: bool) -> None:
        if not column or not isinstance(column, str):
            raise ValueError(f"Argument 'column' must be the name of a column, got {column!r}.")
        self.column = column
        self.group = group
        self.rebuild = rebuild

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Write the tables and the figure.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If a run has no test outputs, its tables lack a column, or a test sample
                has no device.
        """
        folder = column_folder(folder, self.column)
        long, wide, overall = [], [], []
        values: defaultdict[tuple[str, str], dict[str, pd.Series]] = defaultdict(dict)
        for run in runs:
            outputs, table, seen = self._read(run)
            devices = table[self.column]
            groups = parallel_groups(table, run, self.group)
            samples = sample_scores(outputs, table[read_columns(run).index])
            classes, everything = class_tables(outputs, devices, samples)
            wide.append(classes.assign(run=run.name))
            overall.append(everything.assign(run=run.name))
            for device, group, mask in parts(devices, seen):
                of_part = None if groups is None else groups[mask]
                shares = samples[mask].apply(contributions, groups=of_part)
                row = {"run": run.name, self.column: device, "group": group}
                long.append(row | scores(outputs, samples, mask, shares, of_part))
                if not device:
                    for score in SCORES:
                        values[score, group][run.name] = shares[score]
        by_device = pd.DataFrame(long)
        for name, of_runs in (
            ("devices", by_device),
            ("task1", pd.concat(wide, ignore_index=True)),
            ("task1_overall", pd.concat(overall, ignore_index=True)),
        ):
            write_table(with_run_columns(of_runs, runs), folder / f"{name}.csv")
        differences = difference_table(runs, values, ["score", "group"])
        write_table(differences, folder / "differences.csv")
        with self.style.applied():
            save_figure(draw_devices(by_device, self.column), folder / "devices")

    def _read(self, run: Run) -> tuple[RunOutputs, pd.DataFrame, set[str]]:
        """Test outputs of a run, their rows of the test table, and the devices in training."""
        outputs = read_outputs(run, "test")
        if not self.rebuild and not (run.path / "_metadata").is_dir():
            raise ValueError(
                f"Run '{run.name}' saved no tables of its splits (train with the callback "
                "autrainer_ext.callbacks.CleanOutputs, or set rebuild=true)."
            )
        train, test = (read_metadata(run, split) for split in ("train", "test"))
        for table in (train, test):
            if self.column not in table:
                raise ValueError(
                    f"The tables of '{run.name}' have no column '{self.column}': set column to the "
                    f"one that holds the device (-o column=NAME), of {', '.join(map(str, table))}."
                )
        n_missing = test[self.column].isna().sum()
        if n_missing:
            raise ValueError(
                f"Column '{self.column}' is empty for {n_missing} test samples of run "
                f"'{run.name}': every test sample needs a device."
            )
        rows = test.iloc[outputs.indices].astype({self.column: str})
        return outputs, rows, {str(device) for device in train[self.column].dropna()}
