"""Plugin `Adaptation`: what methods of test-time adaptation gain on corrupted test recordings."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import Run, read_class_names
from autrainer_ext.runs.metadata import read_metadata
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.writing import write_table

from .figures import write_gains, write_trajectories

if TYPE_CHECKING:
    import torch

    from autrainer_ext.adaptation import Outcome, Protocol
    from autrainer_ext.serving.features import FeatureReader

KEY = ["run", "method", "protocol", "order", "corruption", "severity", "batch_size", "seed"]


@dataclass(frozen=True)
class _Cell:
    """Test recordings of a run as one corruption leaves them, and unharmed."""

    run: Run
    reader: "FeatureReader"
    targets: np.ndarray
    groups: np.ndarray | None
    clean: "torch.Tensor"
    features: "torch.Tensor"
    described: dict


class Adaptation(AbstractPlugin):
    """Corrupts the test recordings of runs and lets methods adapt to them, without their labels.

    Writes `results.csv`, a row for every run, method, protocol, corruption, severity and seed,
    with 95 % bootstrap intervals over the recordings; `summary.csv`, means over them;
    `trajectories.csv`, the entropies of the predictions so far after every step; heat maps and
    triangles. A row that is there is not computed again: remove `results.csv` after a change of
    settings that are not in its columns.

    Args:
        methods: Names, or {name: settings}; see `autrainer_ext.adaptation.ADAPTATION_METHODS`.
        protocols: Settings of `autrainer_ext.adaptation.Protocol`.
        corruptions: Names; see `autrainer_ext.corruptions`.
        severities: From 1 to 5.
        seeds: Of corruptions, orders and methods.
        audio: Folder of the recordings, or None for `default/` in that of the data set.
        noises: Folder of recordings, for corruptions that need some.
        responses: Folder of impulse responses, for corruptions that need some.
        select: Query of pandas for the rows of the test split to take, as "device != 'a'", or None
            for all.
        group_column: Column of the test split whose values come one after the other in the order
            "grouped".
        length: Seconds that clips are cut or padded to, or None.
        oracle: Whether to add the best pass by test labels of offline protocols.

    Raises:
        ValueError: If a name is unknown or a setting out of its range.
    """

    folder = "adaptation"

    def __init__(
        self,
        methods: Sequence[str | dict],
        protocols: Sequence[dict],
        corruptions: Sequence[str],
        severities: Sequence[int],
        seeds: Sequence[int],
        audio: str | None = None,
        noises: str | None = None,
        responses: str | None = None,
        select: str | None = None,
        group_column: str | None = None,
        length: float | None = None,
        oracle: bool = False,
    ) -> None:
        from autrainer_ext.adaptation import ADAPTATION_METHODS, Protocol
        from autrainer_ext.corruptions import ALL_CORRUPTIONS

        self.methods = [_named(method) for method in methods]
        for _, name, _ in self.methods:
            if name not in ADAPTATION_METHODS:
                raise unknown_name("adaptation method", name, ADAPTATION_METHODS)
        try:
            self.protocols = [Protocol(**settings) for settings in protocols]
        except TypeError as error:
            raise ValueError(f"protocols: {error}") from error
        folders = {"noises": noises, "responses": responses}
        for name in corruptions:
            if name not in ALL_CORRUPTIONS:
                raise unknown_name("corruption", name, ALL_CORRUPTIONS)
            needs = ALL_CORRUPTIONS[name].needs
            if needs and not folders[needs]:
                raise ValueError(f"Corruption '{name}' needs a folder of {needs}: set {needs}.")
            levels = len(ALL_CORRUPTIONS[name].levels)
            for severity in severities:
                if severity not in range(1, levels + 1):
                    raise ValueError(f"'{name}' has severities 1 to {levels}, got {severity}.")
        if group_column is None and any(p.order == "grouped" for p in self.protocols):
            raise ValueError("The order 'grouped' needs a group_column.")
        self.corruptions = list(corruptions)
        self.severities = list(severities)
        self.seeds = list(seeds)
        self.audio = audio
        self.folders = folders
        self.select = select
        self.group_column = group_column
        self.length = length
        self.oracle = oracle

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Compute what is missing and write tables and figures."""
        from tqdm import tqdm

        rows = _read(folder / "results.csv")
        done = {_key(row) for row in rows}
        traces = [point for point in _read(folder / "trajectories.csv") if _key(point) in done]
        wanted = [
            (run, corruption, severity, seed)
            for run, corruption, severity, seed in itertools.product(
                runs, self.corruptions, self.severities, self.seeds
            )
            if self._missing(done, run, corruption, severity, seed)
        ]
        prepared: dict[str, tuple] = {}
        for run, corruption, severity, seed in tqdm(wanted, desc="Adaptation", unit="cell"):
            if run.name not in prepared:
                prepared = {run.name: self._prepare(run)}  # one network in memory
            missing = self._missing(done, run, corruption, severity, seed)
            cell = self._corrupt(run, *prepared[run.name], corruption, severity, seed)
            for (label, name, options), protocol in missing:
                row, trace = self._adapt(cell, label, name, options, protocol)
                rows.append(row)
                traces += trace
            write_table(pd.DataFrame(rows), folder / "results.csv")
            write_table(pd.DataFrame(traces), folder / "trajectories.csv")
        table = pd.DataFrame(rows)
        write_table(_summary(table), folder / "summary.csv")
        write_gains(table, folder)
        write_trajectories(pd.DataFrame(traces), folder)

    def _missing(self, done: set, run: Run, corruption: str, severity: int, seed: int) -> list:
        return [
            (method, protocol)
            for method, protocol in itertools.product(self.methods, self.protocols)
            if (
                run.name, method[0], protocol.name, protocol.order, corruption, str(severity),
                str(protocol.batch_size), str(seed),
            ) not in done
        ]  # fmt: skip

    def _prepare(self, run: Run) -> tuple:
        """Front end and network of a run, its table, the classes and clean features of its test."""
        from autrainer_ext.serving.features import FeatureReader

        reader = FeatureReader(model_path=str(run.path), length_seconds=self.length)
        table = self._table(run)
        dataset = run.config["dataset"]
        names = read_class_names(run.path)
        targets = table[dataset["target_column"]].astype(str).map(names.index).to_numpy()
        groups = None
        if self.group_column is not None:
            if self.group_column not in table:
                raise unknown_name(
                    f"column in the test table of '{run.name}'", self.group_column, table
                )
            groups = table[self.group_column].to_numpy()
        directory = Path(self.audio) if self.audio else Path(dataset["path"], "default")
        if not directory.is_dir():
            raise ValueError(
                f"'{run.name}': there are no recordings in '{directory}' (setting audio)."
            )
        files = table[dataset["index_column"]].tolist()
        return reader, directory, files, targets, groups, _features(run, reader, directory, files)

    def _table(self, run: Run) -> pd.DataFrame:
        table = read_metadata(run, "test")
        if self.select is None:
            return table
        try:
            table = table.query(self.select)
        except Exception as error:  # of pandas or of Python, whatever the query is
            raise ValueError(f"'{run.name}': select '{self.select}' fails: {error}") from error
        if table.empty:
            raise ValueError(f"'{run.name}': select '{self.select}' leaves no recording.")
        return table

    def _corrupt(
        self,
        run: Run,
        reader: "FeatureReader",
        directory: Path,
        files: list[str],
        targets: np.ndarray,
        groups: np.ndarray | None,
        clean: "torch.Tensor",
        corruption: str,
        severity: int,
        seed: int,
    ) -> _Cell:
        from autrainer_ext.corruptions import ALL_CORRUPTIONS, corrupt

        if reader.sample_rate is None:
            raise ValueError(
                f"'{run.name}' does not resample: the rate of its recordings is not known."
            )
        needs = ALL_CORRUPTIONS[corruption].needs
        sounds = self._sounds(needs, reader.sample_rate) if needs else ()
        numbers = {str(directory / file): number for number, file in enumerate(files)}

        def change(samples: "torch.Tensor", path: str) -> "torch.Tensor":
            own = 1_000_003 * seed + numbers[str(Path(path))]
            return corrupt(
                samples, reader.sample_rate, corruption, severity, seed=own, sounds=sounds
            )

        reader.change = change
        try:
            features = _features(run, reader, directory, files)
        finally:
            reader.change = None
        described = {"corruption": corruption, "severity": severity, "seed": seed}
        return _Cell(run, reader, targets, groups, clean, features, described)

    def _sounds(self, kind: str, sample_rate: int) -> list["torch.Tensor"]:
        from autrainer_ext.serving.sounds import read_sounds

        return read_sounds(self.folders[kind], sample_rate)

    def _adapt(
        self, cell: _Cell, label: str, name: str, options: dict, protocol: "Protocol"
    ) -> tuple[dict, list[dict]]:
        """Row and trajectory of one method under one protocol."""
        from dataclasses import replace

        from autrainer_ext.adaptation import adapt, make_method, predict

        protocol = replace(protocol, seed=cell.described["seed"])
        source = make_method("source", cell.reader.model)
        before = source.predict(cell.features)
        method = make_method(name, copy.deepcopy(cell.reader.model), options)
        passes: list[float] = []
        watch = self.oracle and protocol.mode == "offline"
        outcome = adapt(
            method,
            cell.features,
            protocol,
            targets=cell.targets,
            groups=cell.groups,
            after_pass=(lambda logits: passes.append(_accuracy(logits, cell.targets)))
            if watch
            else None,
        )
        key = {
            "run": cell.run.name,
            "method": label,
            "protocol": protocol.name,
            "order": protocol.order,
            "corruption": cell.described["corruption"],
            "severity": cell.described["severity"],
            "batch_size": protocol.batch_size,
            "seed": protocol.seed,
        }
        clean = predict(method, cell.clean, protocol)
        row = key | _scores(before, outcome, clean, cell.targets)
        if watch:
            row["oracle_accuracy_after"] = max(passes)
        return row, [key | point for point in _trajectory(outcome, cell.targets)]


def _named(method: str | dict) -> tuple[str, str, dict]:
    """Label, name and settings of a method."""
    if isinstance(method, str):
        return method, method, {}
    if len(method) != 1:
        raise ValueError(f"A method is a name or {{name: settings}}, got {dict(method)}.")
    ((name, options),) = method.items()
    options = dict(options or {})
    settings = " ".join(f"{key}={value}" for key, value in options.items())
    return f"{name} {settings}".strip(), name, options


def _features(
    run: Run, reader: "FeatureReader", directory: Path, files: list[str]
) -> "torch.Tensor":
    read = reader.read(directory, files)
    if len(read.errors):
        file, reason = read.errors.iloc[0]
        raise ValueError(f"'{run.name}': '{directory / file}' cannot be used: {reason}.")
    return read.features


def _read(path: Path) -> list[dict]:
    return pd.read_csv(path).to_dict("records") if path.is_file() else []


def _key(row: dict) -> tuple[str, ...]:
    return tuple(str(row[key]) for key in KEY)


def _accuracy(logits: "torch.Tensor", targets: np.ndarray) -> float:
    return float((logits.argmax(1).numpy() == targets).mean())


def _scores(
    before: "torch.Tensor", outcome: "Outcome", clean: "torch.Tensor", targets: np.ndarray
) -> dict:
    """What a method gave, with intervals over recordings."""
    from autrainer_ext.adaptation.calibration import expected_calibration_error
    from autrainer_ext.information import (
        balanced_accuracy,
        confusion_counts,
        entropies,
    )
    from autrainer_ext.intervals import mean_interval

    after = outcome.logits
    hits = [(logits.argmax(1).numpy() == targets).astype(float) for logits in (before, after)]
    counts = confusion_counts(targets, after.argmax(1).numpy(), after.shape[1])
    h = entropies(counts)
    scores: dict = {}
    for name, values in (
        ("accuracy_before", hits[0]),
        ("accuracy_after", hits[1]),
        ("gain", hits[1] - hits[0]),
    ):
        scores[name] = values.mean()
        scores[f"{name}_low"], scores[f"{name}_high"] = mean_interval(values)
    events = pd.Series([step["event"] for step in outcome.steps]).value_counts()
    return {
        **scores,
        "balanced_accuracy_after": float(balanced_accuracy(counts)),
        "ece_before": expected_calibration_error(before.softmax(1).numpy(), targets),
        "ece_after": expected_calibration_error(after.softmax(1).numpy(), targets),
        "clean_accuracy_after": _accuracy(clean, targets),
        # past half of the way to the corner of a single class
        "collapsed": bool(h.h_pred < h.h_true / 2),
        "seconds_per_sample": outcome.seconds_per_sample,
        **{f"n_{e}": int(events.get(e, 0)) for e in ("adapted", "held", "reset", "skipped")},
    }


def _trajectory(outcome: "Outcome", targets: np.ndarray) -> Iterator[dict]:
    """Predictions that counted so far in the triangle, after every step of the last pass."""
    from autrainer_ext.information import confusion_counts, entropies, split_coordinates

    predicted, n_classes = outcome.logits.argmax(1).numpy(), outcome.logits.shape[1]
    last = outcome.steps[-1]["pass"]
    end = 0
    for number, step in enumerate(s for s in outcome.steps if s["pass"] == last):
        end += step["n_samples"]
        seen = outcome.order[:end]
        _, point = split_coordinates(
            entropies(confusion_counts(targets[seen], predicted[seen], n_classes))
        )
        yield {
            "step": number + 1,
            "event": step["event"],
            "divergence": float(point.divergence),
            "mutual_information": float(point.mutual_information),
            "variation": float(point.variation),
        }


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over all runs, corruptions, severities and seeds; cells share recordings."""
    from autrainer_ext.intervals import mean_interval

    rows = []
    for key, cells in table.groupby(["method", "protocol", "order"], sort=False):
        low, high = mean_interval(cells["gain"].to_numpy())
        rows.append(
            dict(zip(("method", "protocol", "order"), key, strict=True))
            | {
                "n_cells": len(cells),
                "accuracy_before": cells["accuracy_before"].mean(),
                "accuracy_after": cells["accuracy_after"].mean(),
                "gain": cells["gain"].mean(),
                "gain_low": low,
                "gain_high": high,
                "worst_gain": cells["gain"].min(),
                "clean_accuracy_after": cells["clean_accuracy_after"].mean(),
                "n_collapsed": int(cells["collapsed"].sum()),
                "seconds_per_sample": cells["seconds_per_sample"].mean(),
            }
        )
    return pd.DataFrame(rows)
