"""Predictions of the audio files of a folder, and how they are saved."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from autrainer.serving import Inference

from .audio_files import write_errors


@dataclass(frozen=True)
class Predictions:
    """Predictions, embeddings and errors of a list of audio files.

    Attributes:
        results: Columns `filename`, `offset` (with windows only), `prediction`, `output` and one
            per class, as in the host's `results.csv`; rows in the order of the files.
        embeddings: Columns `filename`, `offset` (with windows only) and `embedding`; empty if
            embeddings were not computed.
        errors: Columns `filename` and `reason`; rows in the order of the files.
    """

    results: pd.DataFrame
    embeddings: pd.DataFrame
    errors: pd.DataFrame


def write_predictions(predictions: Predictions, output: Path, extension: str) -> None:
    """Write predictions in the format of the host, with embeddings and `errors.csv`.

    Earlier results in the folder are replaced. All files are written to a hidden folder first, so
    that each file appears complete.

    Args:
        predictions: Predictions; empty tables are not written.
        output: Folder; it is created if it is missing.
        extension: Extension of the audio files, removed from the names of embeddings.
    """
    is_new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    earlier = [path for path in output.rglob("*") if not path.is_dir()]
    beside = Path(tempfile.mkdtemp(prefix=".inference-", dir=output))
    try:
        _write(predictions, beside, extension)
        for path in earlier:
            path.unlink()
        for path in [path for path in beside.rglob("*") if not path.is_dir()]:
            target = output / path.relative_to(beside)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    except BaseException:
        shutil.rmtree(output if is_new else beside, ignore_errors=True)
        raise
    shutil.rmtree(beside)


def _write(predictions: Predictions, folder: Path, extension: str) -> None:
    if len(predictions.results):
        Inference.save_prediction_yaml(predictions.results, str(folder))
        Inference.save_prediction_results(predictions.results, str(folder))
    write_errors(predictions.errors, folder)
    for row in predictions.embeddings.to_dict("records"):
        name = str(row["filename"]).removesuffix("." + extension.lstrip("."))
        offset = f"-{row['offset']}" if "offset" in row else ""
        path = folder / f"{name}{offset}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(row["embedding"], path)
