"""Plugin `Devices`: results per recording device, and on seen and unseen ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.special import logsumexp

from autrainer_ext.information import (
    confusion_counts,
    confusion_interval,
    ema,
    entropies,
)
from autrainer_ext.intervals import mean_interval
from autrainer_ext.plotting.devices import draw_device_table
from autrainer_ext.runs import Run, RunOutputs, read_metadata, read_outputs, run_labels
from autrainer_ext_plugins.conditions import (
    check_column,
    contributions,
    difference_table,
    parallel_groups,
)
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import save_figure, write_table

SCORES = ["log_loss", "accuracy"]
GROUPS = ("seen", "unseen", "all")


class Devices(AbstractPlugin):
    """Accuracy, log loss and entropy-modulated accuracy on the test split, per device.

    A device is seen if it occurs in the training table. Files:

    - `devices.csv`: a row for every run and device and for the groups "seen", "unseen" (if there
      are any) and "all", with the ends of 95 % intervals.
    - `task1.csv`: the layout of DCASE Task 1, a row for every run and class and for all classes,
      with the log loss and accuracy overall and per device.
    - `differences.csv`: for accuracy and log loss on seen, unseen and all devices, every pair of
      conditions (runs that differ in more than the seed) against each other on the same recordings,
      with the ends of 95 % intervals for other seeds and recordings (see `difference_table`).
    - `devices.png` and `.svg`: accuracies of every run and device.

    All are averages over samples; where classes have equally many, as in the challenge, those are
    the averages over classes. Intervals are over samples. Recordings of one moment on several
    devices are no independent samples: with `group`, intervals of accuracy and log loss resample
    whole groups. Those of EMA always take samples as independent.

    Args:
        column: Column of the data set's tables with the device.
        group: Column, or columns, whose values parallel recordings share. Default: what the run
            was configured with as `parallel_group`, if it was.
        rebuild: Whether to build the data sets of runs that saved no tables, which imports the
            host's training code and needs the data.

    Raises:
        ValueError: If a column is no name.
    """

    folder: ClassVar[str] = "devices"

    def __init__(
        self,
        column: str = "device",
        group: str | list[str] | None = None,
        rebuild: bool = False,
    ) -> None:
        if not column or not isinstance(column, str):
            raise ValueError(f"column must be the name of a column, got {column!r}.")
        self.column = column
        self.group = group
        self.rebuild = rebuild

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Write the tables and the figure.

        Raises:
            ValueError: If a run saved no test outputs, its tables lack a column, or a test
                sample is of no device.
        """
        long, wide, values = [], [], {}
        for run in runs:
            outputs, table, seen = self._read(run)
            groups = parallel_groups(table, run, self.group)
            samples = _sample_scores(outputs, table[run.config["dataset"]["index_column"]])
            wide.append(self._by_class(outputs, table, samples).assign(run=run.name))
            for part, mask in self._parts(table, seen):
                of_part = None if groups is None else groups[mask]
                shares = samples[mask].apply(contributions, groups=of_part)
                long.append({"run": run.name} | part | _scores(outputs, samples, mask, shares))
                if not part[self.column]:
                    for score in SCORES:
                        values.setdefault((score, part["group"]), {})[run.name] = shares[score]
        devices, classes = pd.DataFrame(long), pd.concat(wide, ignore_index=True)
        for name, table in (
            ("devices", devices),
            ("task1", classes[["run", *classes.columns.drop("run")]]),
            ("differences", difference_table(runs, values, ["score", "group"])),
        ):
            write_table(table, folder / f"{name}.csv")
        save_figure(_figure(devices, self.column), folder / "devices")

    def _read(self, run: Run) -> tuple[RunOutputs, pd.DataFrame, set[str]]:
        """Test outputs of a run, their rows of the table, and the devices in training."""
        outputs = read_outputs(run, "test")
        if not self.rebuild and not (run.path / "_metadata").is_dir():
            raise ValueError(
                f"'{run.name}' saved no tables of its splits (train with the callback "
                "autrainer_ext.callbacks.CleanOutputs, or set rebuild=true)."
            )
        train, test = (read_metadata(run, split) for split in ("train", "test"))
        for table in (train, test):
            check_column(table, self.column, run)
        if test[self.column].isna().any():
            raise ValueError(
                f"{test[self.column].isna().sum()} test samples of '{run.name}' have no "
                f"'{self.column}'."
            )
        rows = test.iloc[outputs.indices].astype({self.column: str})
        return outputs, rows, set(train[self.column].dropna().astype(str))

    def _parts(self, table: pd.DataFrame, seen: set[str]) -> list[tuple[dict, np.ndarray]]:
        """Devices, seen ones first, then groups of them: how each is called and its samples."""
        device = table[self.column]
        is_seen = device.isin(seen)
        names = sorted(device.unique(), key=lambda name: (name not in seen, name))
        parts = [
            ({self.column: name, "group": "seen" if name in seen else "unseen"}, device == name)
            for name in names
        ]
        masks = (is_seen, ~is_seen, is_seen | ~is_seen)
        parts += [
            ({self.column: "", "group": group}, mask)
            for group, mask in zip(GROUPS, masks, strict=True)
        ]
        return [(part, mask.to_numpy()) for part, mask in parts if mask.any()]

    def _by_class(
        self, outputs: RunOutputs, table: pd.DataFrame, samples: pd.DataFrame
    ) -> pd.DataFrame:
        names = np.array(outputs.class_names)[outputs.targets]
        samples = samples.assign(**{"class": names, "device": table[self.column].to_numpy()})
        everything = samples.assign(**{"class": "all"})
        parts = []
        for rows in (everything, samples):
            overall = rows.groupby("class", sort=False)[SCORES].mean()
            per_device = rows.pivot_table(index="class", columns="device", values=SCORES)
            per_device.columns = [f"{score}_{device}" for score, device in per_device.columns]
            parts.append(overall.join(per_device))
        parts[1] = parts[1].reindex(outputs.class_names).dropna(how="all")
        return pd.concat(parts).reset_index(names="class")


def _sample_scores(outputs: RunOutputs, names: pd.Series) -> pd.DataFrame:
    """Scores of every sample under its name, the log loss in nats."""
    logits = outputs.outputs.astype(float)
    of_target = logits[np.arange(len(logits)), outputs.targets]
    scores = {
        "log_loss": logsumexp(logits, axis=1) - of_target,
        "accuracy": (logits.argmax(axis=1) == outputs.targets).astype(float),
    }
    return pd.DataFrame(scores, index=names.to_numpy())


def _scores(
    outputs: RunOutputs, samples: pd.DataFrame, mask: np.ndarray, shares: pd.DataFrame
) -> dict[str, float]:
    """Scores of a part of the samples, with the ends of their intervals."""
    scores: dict[str, float] = {"n_samples": int(mask.sum())}
    for name in ("accuracy", "log_loss"):
        low, high = mean_interval(shares[name])
        scores |= {name: samples[name][mask].mean(), f"{name}_low": low, f"{name}_high": high}
    predicted = outputs.outputs.argmax(axis=1)[mask]
    counts = confusion_counts(outputs.targets[mask], predicted, len(outputs.class_names))
    low, high = confusion_interval(counts, lambda tables: ema(entropies(tables)))
    limits = {"ema_low": float(low), "ema_high": float(high)}
    return scores | {"ema": float(ema(entropies(counts)))} | limits


def _figure(devices: pd.DataFrame, column: str) -> Figure:
    is_device = devices[column] != ""
    percent = devices.assign(
        name=devices[column].where(is_device, devices["group"].map(_heading)),
        value=100 * devices["accuracy"],
        half_width=50 * (devices["accuracy_high"] - devices["accuracy_low"]),
    )
    is_seen = (percent["group"] == "seen").groupby(percent["name"]).all()  # by every run
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
    return "all devices" if group == "all" else f"all {group}"
