"""Recordings to evaluate: a folder with a table of targets, or the test split of a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import autrainer
import pandas as pd
import yaml
from autrainer.datasets import AbstractDataset
from omegaconf import OmegaConf

from autrainer_ext.compat import batch_sizes
from autrainer_ext.configurations import configuration_names, find_configuration
from autrainer_ext.errors import unknown_name


@dataclass(frozen=True)
class Recordings:
    """Recordings with their true classes.

    Attributes:
        name: Name of the data.
        folder: Folder to which the file names are relative.
        table: One row per recording, with a file name, a target as text, and other columns.
        index_column: Column with the file names.
        target_column: Column with the targets.
        strata: Columns that define strata.
        config: Further settings of the data set for the configuration of a run.
    """

    name: str
    folder: Path
    table: pd.DataFrame
    index_column: str
    target_column: str
    strata: Sequence[str]
    config: Mapping[str, Any]


def read_folder(folder: Path | str, targets: Path | str) -> Recordings:
    """Recordings of a folder and their targets in a CSV file.

    Args:
        folder: Folder of audio files.
        targets: CSV file with the columns `filename` (relative to the folder) and `target`.

    Returns:
        Recordings in the order of the file. All further columns with at most 20 values, and fewer
        than there are recordings, define strata.

    Raises:
        ValueError: If the folder or the file does not exist, a column is missing, a cell of these
            columns is empty or a file name occurs twice.
    """
    if not Path(folder).is_dir():
        raise ValueError(f"Folder of recordings '{folder}' does not exist.")
    try:
        table = pd.read_csv(targets, dtype={"filename": str, "target": str})
    except (OSError, ValueError) as error:
        raise ValueError(f"Table of targets '{targets}' cannot be read: {error}") from error
    strata = [
        str(column)
        for column in table.columns.drop(["filename", "target"], errors="ignore")
        if 0 < table[column].nunique() <= min(20, len(table) - 1)
    ]
    found = Recordings(
        name=Path(folder).resolve().name,
        folder=Path(folder),
        table=table,
        index_column="filename",
        target_column="target",
        strata=strata,
        config={},
    )
    return _checked(found, f"'{targets}'")


def read_data_set(name: str) -> Recordings:
    """Recordings of the test split of a data set; only tables and audio are needed.

    Args:
        name: Name of a configuration of a data set. Its audio lies in `default/` in the folder of
            the data set, as the host puts it. Relative paths start at the working directory.

    Returns:
        Recordings in the order of the test split; the setting `stratify` defines the strata.

    Raises:
        ValueError: If the data set does not exist, has no audio or is not a classification of
            single classes.
    """
    path = find_configuration("dataset", name)
    if path is None:
        raise unknown_name("data set", name, configuration_names("dataset"))
    config = OmegaConf.create({"dataset": OmegaConf.load(path)})
    settings = cast("dict[str, Any]", OmegaConf.to_container(config.dataset, resolve=True))
    audio = Path(str(settings.get("path")), "default")
    if not audio.is_dir():
        raise ValueError(
            f"Data set '{name}' has no audio in '{audio}': fetch it from this folder, or give "
            "recordings and a table of targets."
        )
    try:
        data = _build(settings)
    except Exception as error:  # a data set of the user may raise anything
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"Data set '{name}' cannot be read: {reason}") from error
    if data.task != "classification" or not isinstance(data.target_column, str):
        raise ValueError(
            f"Data set '{name}' is for {data.task}: only single classes can be evaluated."
        )
    table = data.df_test.reset_index(drop=True).astype({data.target_column: str})
    recordings = Recordings(
        name=name,
        folder=audio,
        table=table,
        index_column=data.index_column,
        target_column=data.target_column,
        strata=list(data.stratify),
        config=settings | {"path": str(Path(data.path).resolve())},
    )
    return _checked(recordings, f"the test split of '{name}'")


def map_classes(
    recordings: Recordings, class_names: Sequence[str], mapping: Path | str | None
) -> Recordings:
    """Replace the targets by classes of a model, and leave out recordings of other classes.

    Args:
        recordings: Recordings.
        class_names: Classes of the model.
        mapping: YAML file with the class of the model for names in the data (`car: vehicle`), or
            an empty value to leave a class out (`cat:`). Names that it lacks stay as they are.
            Default: no name is replaced.

    Returns:
        Recordings whose targets are classes of the model, at least one; other columns and the
        order are kept.

    Raises:
        ValueError: If the file is not such a mapping, names an unknown class, or a target is
            neither mapped nor a class of the model.
    """
    names: dict[str, str | None] = {}
    if mapping is not None:
        try:
            loaded = yaml.safe_load(Path(mapping).read_text(encoding="utf-8"))
            names = {str(k): None if v is None else str(v) for k, v in loaded.items()}
        except (OSError, AttributeError, yaml.YAMLError) as error:
            raise ValueError(
                f"File of classes '{mapping}' must map names in the data to classes of the model, "
                "one 'name: class' per line."
            ) from error
    targets = recordings.table[recordings.target_column].map(lambda name: names.get(name, name))
    for target in targets.dropna().unique():
        if target not in class_names:
            where = f"the data (map it, or leave it out with '{target}:' in a file of classes)"
            raise unknown_name("class", target, class_names, where=where)
    kept = targets.notna()
    if not kept.any():
        raise ValueError("No recording has a class of the model.")
    table = recordings.table.assign(**{recordings.target_column: targets})
    return replace(recordings, table=table[kept].reset_index(drop=True))


def _build(settings: dict[str, Any]) -> AbstractDataset:
    """Data set whose features are the audio, which is always there."""
    arguments = {k: v for k, v in settings.items() if k not in ("transform", "criterion", "cache")}
    kinds = {file.suffix for file in Path(settings["path"], "default").iterdir()}
    audio = {"features_subdir": "default", "file_type": min(kinds, default="").lstrip(".")}
    return autrainer.instantiate(
        OmegaConf.create(arguments | audio),
        AbstractDataset,
        seed=0,
        **batch_sizes(1, 1),
    )


def _checked(recordings: Recordings, where: str) -> Recordings:
    for column in (recordings.index_column, recordings.target_column):
        if column not in recordings.table:
            raise unknown_name("column", column, recordings.table, where=where)
        n_empty = int(recordings.table[column].isna().sum())
        if n_empty:
            raise ValueError(f"Column '{column}' in {where} is empty in {n_empty} rows.")
    files = recordings.table[recordings.index_column]
    if files.empty:
        raise ValueError(f"There are no recordings in {where}.")
    if files.duplicated().any():
        raise ValueError(f"File '{files[files.duplicated()].iloc[0]}' occurs twice in {where}.")
    return recordings
