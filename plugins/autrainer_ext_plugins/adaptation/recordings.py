"""Test recordings of a run: metadata, clean features and corrupted features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from autrainer_ext.corruptions import corrupt
from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import Run, read_class_names, read_columns, read_metadata

if TYPE_CHECKING:
    from autrainer_ext.serving.features import FeatureReader


@dataclass(frozen=True)
class TestRecordings:
    """Test recordings of a run with the source model.

    Attributes:
        run: Run.
        reader: Front end and network of the run.
        sample_rate: Sample rate of the front end in Hz.
        directory: Folder of the recordings.
        files: Paths of the recordings relative to the folder, N in number.
        targets: Class index of every recording, shape (N,).
        groups: Value of the group column of every recording, shape (N,), or None.
        clean: Features of the uncorrupted recordings, shape (N, ...).
    """

    run: Run
    reader: "FeatureReader"
    sample_rate: int
    directory: Path
    files: list[str]
    targets: np.ndarray
    groups: np.ndarray | None
    clean: torch.Tensor


def read_test_recordings(
    run: Run,
    *,
    audio: str | None,
    select: str | None,
    group_column: str | None,
    length: float | None,
) -> TestRecordings:
    """Read the test recordings of a run through its front end.

    Args:
        run: Run.
        audio: Folder of the recordings, or None for `default/` in the folder of the data set.
        select: Pandas query for the rows of the test split, or None for all rows.
        group_column: Column of the test split that holds the groups, or None.
        length: Length in seconds that clips are cut or padded to, or None.

    Returns:
        Test recordings with the features of the uncorrupted recordings.

    Raises:
        ValueError: If the query fails or selects no row, the group column does not exist, a
            recording is missing or unusable, or the front end states no sample rate.
    """
    from autrainer_ext.serving.features import FeatureReader

    directory = _find_recordings(run, audio)
    reader = FeatureReader(model_path=str(run.path), length_seconds=length)
    table = _select_rows(run, select)
    columns, names = read_columns(run), read_class_names(run.path)
    targets = table[columns.target].astype(str).map(names.index).to_numpy()
    groups = None
    if group_column is not None:
        if group_column not in table:
            raise unknown_name(
                "column", group_column, table, where=f"the test table of '{run.name}'"
            )
        groups = table[group_column].to_numpy()
    if reader.sample_rate is None:
        raise ValueError(
            f"The front end of '{run.name}' does not resample: corruptions need a sample rate."
        )
    files = table[columns.index].tolist()
    clean = _read_features(run, reader, directory, files)
    return TestRecordings(run, reader, reader.sample_rate, directory, files, targets, groups, clean)


def corrupted_features(
    recordings: TestRecordings,
    corruption: str,
    severity: int,
    *,
    seed: int,
    sounds: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Corrupt the recordings and compute their features.

    Args:
        recordings: Test recordings.
        corruption: Name of the corruption.
        severity: Severity of the corruption.
        seed: Seed of the corruption; every recording derives its own from it.
        sounds: Recordings that the corruption needs, at the sample rate of the front end.

    Returns:
        Features of the corrupted recordings, shape (N, ...).

    Raises:
        ValueError: If a recording cannot be used.
    """
    numbers = {str(recordings.directory / file): n for n, file in enumerate(recordings.files)}

    def change(samples: torch.Tensor, path: str) -> torch.Tensor:
        own_seed = 1_000_003 * seed + numbers[str(Path(path))]
        return corrupt(
            samples, recordings.sample_rate, corruption, severity, seed=own_seed, sounds=sounds
        )

    reader = recordings.reader
    reader.change = change
    try:
        return _read_features(recordings.run, reader, recordings.directory, recordings.files)
    finally:
        reader.change = None


def _find_recordings(run: Run, audio: str | None) -> Path:
    """Folder of the recordings of the data set of a run."""
    directory = Path(audio or Path(run.config["dataset"].get("path", ""), "default"))
    if not directory.is_dir():
        raise ValueError(
            f"Folder '{directory}' with the recordings of '{run.name}' does not exist: start in "
            "the folder in which the run was trained, or set audio; without recordings there is "
            "nothing to corrupt and to adapt to."
        )
    return directory


def _select_rows(run: Run, select: str | None) -> pd.DataFrame:
    table = read_metadata(run, "test")
    if select is None:
        return table
    try:
        table = table.query(select)
    except Exception as error:  # pandas and Python raise many types for an invalid query
        raise ValueError(f"Query select='{select}' fails for '{run.name}': {error}") from error
    if table.empty:
        raise ValueError(f"Query select='{select}' selects no test recording of '{run.name}'.")
    return table


def _read_features(
    run: Run, reader: "FeatureReader", directory: Path, files: list[str]
) -> torch.Tensor:
    read = reader.read(directory, files)
    if len(read.errors):
        file, reason = read.errors.iloc[0]
        raise ValueError(
            f"Recording '{directory / file}' of '{run.name}' cannot be used: {reason}."
        )
    return read.features
