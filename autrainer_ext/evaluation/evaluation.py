"""Evaluate a trained model on other recordings, and save its outputs as those of a run.

recordings -> front end and network of the model -> logits -> scores; logits -> run directory
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from autrainer.datasets.utils import LabelEncoder

from autrainer_ext.errors import unknown_name
from autrainer_ext.runs import (
    Run,
    RunOutputs,
    best_iteration,
    read_class_names,
    read_metadata,
    read_outputs,
    read_run,
)
from autrainer_ext.serving.inference import BatchedInference
from autrainer_ext.trust import DESCRIPTIONS

from .recordings import Recordings, map_classes


@dataclass(frozen=True)
class Evaluated:
    """Outputs of a model for recordings.

    Attributes:
        recordings: Recordings that could be used; targets are classes of the model.
        outputs: Outputs in their order.
        errors: Recordings that could not be used, columns `filename` and `reason`.
    """

    recordings: Recordings
    outputs: RunOutputs
    errors: pd.DataFrame


@dataclass(frozen=True)
class OwnTest:
    """Test split of the run that a model comes from.

    Attributes:
        run: The run.
        outputs: Outputs of its best checkpoint.
        table: Table of the split.
        train: Table of its training split.
    """

    run: Run
    outputs: RunOutputs
    table: pd.DataFrame
    train: pd.DataFrame


def evaluate(
    model: Path | str,
    recordings: Recordings,
    *,
    mapping: Path | str | None = None,
    checkpoint: str = "_best",
    batch_size: int | None = None,
    device: str = "auto",
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> Evaluated:
    """Predict recordings with a model and its own front end.

    Args:
        model: Run or model directory of a classifier.
        recordings: Recordings with targets in the words of the data.
        mapping: YAML file that maps these words to classes of the model; see `map_classes`.
        checkpoint: Folder of the weights in the directory.
        batch_size: Most inputs per forward pass, or None for as many as fit.
        device: Device of the network; see `serving.forward.choose_device`.
        progress: Function that wraps the files and shows the progress.

    Returns:
        Outputs, and recordings that could not be used.

    Raises:
        ValueError: If the model is no classifier of single classes, a class is unknown, or no
            recording can be used.
    """
    class_names = read_class_names(Path(model))
    recordings = map_classes(recordings, class_names, mapping)
    inference = BatchedInference(
        model_path=str(model), checkpoint=checkpoint, batch_size=batch_size, device=device
    )
    if not isinstance(inference.target_transform, LabelEncoder):
        raise ValueError(
            f"Model '{model}' is no classifier of single classes: its target transform is "
            f"{type(inference.target_transform).__name__}."
        )
    files = recordings.table[recordings.index_column].tolist()
    predicted = inference.run(str(recordings.folder), files, progress=progress)
    if predicted.results.empty:
        first = predicted.errors.iloc[0]
        raise ValueError(
            f"No recording can be used: '{first['filename']}' in '{recordings.folder}' "
            f"({first['reason']})."
        )
    is_used = recordings.table[recordings.index_column].isin(predicted.results["filename"])
    table = recordings.table[is_used].reset_index(drop=True)
    outputs = RunOutputs(
        outputs=np.array(predicted.results["output"].tolist(), dtype=np.float32),
        targets=np.array([class_names.index(name) for name in table[recordings.target_column]]),
        indices=np.arange(len(table)),
        class_names=class_names,
    )
    return Evaluated(replace(recordings, table=table), outputs, predicted.errors)


def read_own_test(model: Path | str) -> OwnTest | None:
    """Read the saved test outputs of a run directory; None for a model directory without them.

    Args:
        model: Run or model directory.

    Raises:
        ValueError: If the saved outputs are damaged.
    """
    model = Path(model)
    if not (model / ".hydra").is_dir() or not (model / "_test" / "test_outputs.npy").is_file():
        return None
    run = read_run(model)
    outputs = read_outputs(run, "test")
    empty = pd.DataFrame(index=range(int(outputs.indices.max(initial=-1)) + 1))
    has_tables = (model / "_metadata").is_dir()
    table, train = (
        read_metadata(run, split) if has_tables else empty for split in ("test", "train")
    )
    return OwnTest(run, outputs, table.iloc[outputs.indices].reset_index(drop=True), train)


def run_name(model: Path | str, recordings: Recordings) -> str:
    """Name of the run directory of an evaluation, in the form of the host.

    The name of the data takes the place of the data set; underscores, which separate the parts of
    a name, become hyphens.
    """
    name = Path(model).resolve().name
    rest = name.partition("_")[2] if (Path(model) / ".hydra").is_dir() else name.replace("_", "-")
    return f"{recordings.name.replace('_', '-')}_{rest or name}"


def write_run(
    folder: Path, model: Path | str, evaluated: Evaluated, own: OwnTest | None, *, checkpoint: str
) -> None:
    """Write outputs in the layout of a run of the host, so that plugins read them.

    The outputs are those of the split "test" at the best iteration of the model, 1 if it is
    unknown. The table of the training split is that of the run, with empty columns where the
    evaluated recordings have others: devices that do not occur in it are unseen.

    Args:
        folder: Existing empty folder.
        model: Run or model directory.
        evaluated: Outputs of the model.
        own: Test split of the run, or None.
        checkpoint: Folder of the weights in the directory.
    """
    iteration = 1 if own is None else best_iteration(own.run)
    config: dict[str, Any] = {} if own is None else dict(own.run.config)
    _write_yaml(folder / ".hydra/config.yaml", _config(config, evaluated.recordings, iteration))
    _write_yaml(folder / "_best/best_results.yaml", {"best_iteration": iteration})
    for place in ("_test", f"epoch_{iteration}"):
        (folder / place).mkdir()
        for kind in ("outputs", "targets", "indices"):
            np.save(folder / place / f"test_{kind}.npy", getattr(evaluated.outputs, kind))
    for name in DESCRIPTIONS:
        if Path(model, name).is_file():
            shutil.copy(Path(model, name), folder)
    shutil.copy(Path(model, checkpoint, "model.pt"), folder / "_best")
    (folder / "_metadata").mkdir()
    table = evaluated.recordings.table
    table.to_csv(folder / "_metadata/test.csv", index=False)
    train = pd.DataFrame() if own is None else own.train
    train.reindex(columns=table.columns).to_csv(folder / "_metadata/train.csv", index=False)
    pd.DataFrame({"iteration": [iteration]}).to_csv(folder / "metrics.csv", index=False)


def own_strata(own: OwnTest, columns: Iterable[str]) -> pd.DataFrame:
    """Columns of the strata that the test split of a run has too."""
    return own.table[[column for column in columns if column in own.table]]


def check_strata(recordings: Recordings, columns: Iterable[str]) -> None:
    """Check that columns exist that should define strata.

    Raises:
        ValueError: If the table has no such column.
    """
    for column in columns:
        if column not in recordings.table:
            raise unknown_name("column", column, recordings.table, where="the data")


def _config(source: dict[str, Any], recordings: Recordings, iteration: int) -> dict[str, Any]:
    """Configuration of the run of an evaluation: that of the source with other data."""
    dataset = dict(recordings.config) | {
        "id": recordings.name.replace("_", "-"),
        "path": str(recordings.config.get("path", recordings.folder.resolve())),
        "index_column": recordings.index_column,
        "target_column": recordings.target_column,
        "stratify": list(recordings.strata),
    }
    for key in ("criterion", "metrics", "tracking_metric"):
        if key in source.get("dataset", {}):
            dataset[key] = source["dataset"][key]
    return {"seed": ""} | source | {"dataset": dataset, "iterations": iteration}


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
