"""Plugin `Adaptation`: settings, and the loop over runs, corruptions, methods and protocols."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import ClassVar

import pandas as pd
import torch
from tqdm import tqdm

from autrainer_ext.adaptation import Protocol, adapt, make_method, predict
from autrainer_ext.adaptation.procedure import finite_rows
from autrainer_ext.corruptions import ALL_CORRUPTIONS
from autrainer_ext.runs import Run
from autrainer_ext.serving.forward import ForwardPass, choose_device
from autrainer_ext.serving.sounds import read_sounds
from autrainer_ext_plugins.plugin import AbstractPlugin
from autrainer_ext_plugins.run_columns import with_run_columns
from autrainer_ext_plugins.writing import write_table

from .correct import CONDITION, count_correct, recording_table
from .figures import write_gains, write_trajectories
from .recordings import TestRecordings, corrupted_features, read_test_recordings
from .scores import accuracy, adaptation_scores, shared_cells, summarise, trajectory
from .settings import MethodSettings, check_corruption, parse_method, parse_protocol

# run, corruption, severity, seed, and the methods and protocols without a row
_Cell = tuple[Run, str, int, int, list[tuple[MethodSettings, Protocol]]]
KEY = ["run", "method", "protocol", "order", "corruption", "severity", "batch_size", "seed"]


class Adaptation(AbstractPlugin):
    """Comparison of adaptation methods on corrupted test recordings.

    Every method adapts to the corrupted test recordings of every run without their labels. Files:

    - `results.csv`: one row per run, method, protocol, corruption, severity and seed, with 95 %
      bootstrap intervals over recordings. Existing rows are not computed again: remove the file
      after changing settings that are not among its columns.
    - `summary.csv`: means over runs, corruptions, severities and seeds, for all methods over the
      same cells.
    - `recordings.csv`: number of corrupted copies of every recording that are predicted correctly
      before and after adaptation.
    - `trajectories.csv`: coordinates in the entropy triangle after every step.
    - `gain_*`, `trajectories_*`: figures of gains and trajectories.

    The defaults are in `conf/plugin/Adaptation.yaml`.

    Args:
        methods: Names, or {name: settings}; see `autrainer_ext.adaptation.ADAPTATION_METHODS`.
        protocols: Settings of `autrainer_ext.adaptation.Protocol`.
        corruptions: Names; see `autrainer_ext.corruptions.ALL_CORRUPTIONS`.
        severities: Severities from 1 to 5.
        seeds: Seeds of corruptions, orders and methods.
        audio: Folder of the recordings, or None for `default/` in the folder of the data set.
        noises: Folder of noise recordings, for corruptions that need them, or None.
        responses: Folder of impulse responses, for corruptions that need them, or None.
        select: Pandas query for the rows of the test split, such as "device != 'a'", or None for
            all rows.
        group_column: Column of the test split that holds the groups of the order "grouped", or
            None.
        length: Length in seconds that clips are cut or padded to, or None.
        device: Device of the networks; see `autrainer_ext.serving.forward.choose_device`.
        oracle: Whether to add the accuracy of the best pass by test labels for offline protocols.

    Raises:
        ValueError: If a name is unknown or a setting is out of range.
    """

    folder: ClassVar[str] = "adaptation"
    tasks: ClassVar[tuple[str, ...] | None] = ("classification",)

    def __init__(
        self,
        *,
        methods: Sequence[str | dict],
        protocols: Sequence[dict],
        corruptions: Sequence[str],
        severities: Sequence[int],
        seeds: Sequence[int],
        audio: str | None,
        noises: str | None,
        responses: str | None,
        select: str | None,
        group_column: str | None,
        length: float | None,
        device: str,
        oracle: bool,
    ) -> None:
        self.methods = [parse_method(method) for method in methods]
        self.protocols = [parse_protocol(settings) for settings in protocols]
        if group_column is None and any(p.order == "grouped" for p in self.protocols):
            raise ValueError("Order 'grouped' needs a column of the test split: set group_column.")
        self.folders = {"noises": noises, "responses": responses}
        for corruption in corruptions:
            check_corruption(corruption, severities, self.folders)
        self.corruptions = list(corruptions)
        self.severities = list(severities)
        self.seeds = list(seeds)
        self.audio = audio
        self.select = select
        self.group_column = group_column
        self.length = length
        self.device = choose_device(device)
        self.oracle = oracle

    def run(self, runs: Sequence[Run], folder: Path) -> None:
        """Compute missing rows and write tables and figures.

        Args:
            runs: Runs of one experiment.
            folder: Existing folder to write to.

        Raises:
            ValueError: If a run lacks something that is needed or a recording cannot be used.
        """
        rows = _read_rows(folder / "results.csv")
        done = {_key_of(row) for row in rows}
        traces = [row for row in _read_rows(folder / "trajectories.csv") if _key_of(row) in done]
        cells = [
            (*cell, missing)
            for cell in product(runs, self.corruptions, self.severities, self.seeds)
            if (missing := self._missing(done, *cell))
        ]
        counts = [pd.DataFrame(_read_rows(folder / "recordings.csv"))]
        by_name = {run.name: run for run in runs}
        # of one run at a time, to save memory
        read = lru_cache(maxsize=1)(lambda name: self._read_source(by_name[name]))
        found = self.shards.map(
            lambda cell: self._adapt_cell(cell, *read(cell[0].name)), cells, name="Adaptation"
        )
        for some_rows, some_traces, some_counts in tqdm(
            found, "Adaptation", len(cells), unit="cell", disable=self.shards.has_bar
        ):
            rows += some_rows
            traces += some_traces
            counts = [recording_table([*counts, *some_counts])]
            self._write(rows, runs, folder / "results.csv")
            write_table(counts[0], folder / "recordings.csv")
            self._write(traces, runs, folder / "trajectories.csv")
        table = pd.DataFrame(rows)
        shared = shared_cells(table)
        if len(shared) < len(table):
            tqdm.write(
                f"Adaptation: summary.csv leaves out {len(table) - len(shared)} of {len(table)} "
                "rows of results.csv, whose cells lack some of the methods: run all methods on the "
                "same corruptions, severities and seeds to compute the rest."
            )
        (folder / "summary.csv").unlink(missing_ok=True)
        if len(shared):
            write_table(summarise(shared), folder / "summary.csv")
        with self.style.applied():
            write_gains(table, folder)
            write_trajectories(pd.DataFrame(traces), folder)

    def _write(self, rows: list[dict], runs: Sequence[Run], path: Path) -> None:
        """Write rows with the description of their runs; `seed` is that of the corruption."""
        table = with_run_columns(pd.DataFrame(rows), runs, seed="training_seed")
        write_table(table, path)

    def _missing(
        self, done: set[tuple[str, ...]], run: Run, corruption: str, severity: int, seed: int
    ) -> list[tuple[MethodSettings, Protocol]]:
        """Methods and protocols without a row."""
        return [
            (method, protocol)
            for method, protocol in product(self.methods, self.protocols)
            if _key_of(_key_columns(run, corruption, severity, seed, method, protocol)) not in done
        ]

    def _read_source(self, run: Run) -> tuple[TestRecordings, ForwardPass]:
        """Test recordings of a run, and the engine of its network."""
        recordings = read_test_recordings(
            run,
            audio=self.audio,
            select=self.select,
            group_column=self.group_column,
            length=self.length,
        )
        return recordings, ForwardPass(recordings.reader.model, device=str(self.device))

    def _adapt_cell(
        self, cell: _Cell, recordings: TestRecordings, source: ForwardPass
    ) -> tuple[list[dict], list[dict], list[pd.DataFrame]]:
        """Rows, points of trajectories and correct recordings of the missing methods of a cell."""
        run, corruption, severity, seed, missing = cell
        sounds = self._read_sounds(corruption, recordings.sample_rate)
        features = corrupted_features(recordings, corruption, severity, seed=seed, sounds=sounds)
        before = finite_rows(source(features))
        features = features.to(self.device)
        rows: list[dict] = []
        traces: list[dict] = []
        counts: list[pd.DataFrame] = []
        for method, protocol in missing:
            key = _key_columns(run, corruption, severity, seed, method, protocol)
            scores, points, correct = self._adapt(
                recordings, features, before, method, replace(protocol, seed=seed)
            )
            rows.append(key | scores)
            counts.append(correct.assign(**{name: key[name] for name in CONDITION}))
            traces += [key | point for point in points]
        return rows, traces, counts

    def _read_sounds(self, corruption: str, sample_rate: int) -> list[torch.Tensor]:
        needs = ALL_CORRUPTIONS[corruption].needs
        folder = self.folders[needs] if needs else None
        return read_sounds(folder, sample_rate) if folder else []

    def _adapt(
        self,
        recordings: TestRecordings,
        features: torch.Tensor,
        before: torch.Tensor,
        method: MethodSettings,
        protocol: Protocol,
    ) -> tuple[dict, list[dict], pd.DataFrame]:
        """Scores, trajectory and correct recordings of one method, with the logits before it."""
        model, targets = recordings.reader.model, recordings.targets
        network = copy.deepcopy(model).to(self.device)
        seed = {"seed": protocol.seed} if method.name == "ntta" else {}
        adapted = make_method(method.name, network, seed | method.options)
        accuracies: list[float] = []
        uses_oracle = self.oracle and protocol.mode == "offline"
        outcome = adapt(
            adapted,
            features,
            protocol,
            targets=targets,
            groups=recordings.groups,
            after_pass=(lambda logits: accuracies.append(accuracy(logits.cpu(), targets)))
            if uses_oracle
            else None,
        )
        clean = predict(adapted, recordings.clean.to(self.device), protocol).cpu()
        scores = adaptation_scores(before, outcome, clean, targets)
        if uses_oracle:
            scores["oracle_accuracy_after"] = max(accuracies)
        correct = count_correct(recordings.files, before, outcome.logits, targets)
        return scores, list(trajectory(outcome, targets)), correct


def _read_rows(path: Path) -> list[dict]:
    return pd.read_csv(path).to_dict("records") if path.is_file() else []


def _key_columns(
    run: Run, corruption: str, severity: int, seed: int, method: MethodSettings, protocol: Protocol
) -> dict[str, str | int]:
    return {
        "run": run.name,
        "method": method.label,
        "protocol": protocol.name,
        "order": protocol.order,
        "corruption": corruption,
        "severity": severity,
        "batch_size": protocol.batch_size,
        "seed": seed,
    }


def _key_of(row: dict) -> tuple[str, ...]:
    return tuple(str(row[column]) for column in KEY)
