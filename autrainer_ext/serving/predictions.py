"""Predictions of the audio files of a folder, and how they are saved."""

import errno
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from autrainer.serving import Inference

from autrainer_ext.atomic import is_abandoned, naming, remove, temporary_path

from .audio_files import error_table, write_errors
from .model_directory import save_tensors


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


class PredictionsInProgress:
    """Predictions that are written as they come, and continued if an earlier call was killed.

    They are kept in a hidden folder of the output folder: a line of JSON per file, and the
    embeddings. `publish` turns them into the tables of the host.

    Args:
        output: Output folder; it is created if it is missing.
        directory: Folder of the audio files.
        extension: Extension of the audio files, removed from the names of embeddings.
        settings: Everything that predictions depend on except the audio files. Predictions of an
            earlier call are used if its settings were equal and the audio file is unchanged.

    Raises:
        ValueError: If another process writes to the output folder.
    """

    def __init__(
        self, output: Path, directory: Path, extension: str, settings: Mapping[str, object]
    ) -> None:
        self.output = output
        self.directory = directory
        self.extension = extension
        self.errors: dict[str, str] = {}
        text = json.dumps([str(directory.resolve()), extension, settings], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        output.mkdir(parents=True, exist_ok=True)
        self._folder = self._open(digest)
        self._lines = self._folder / f"{digest}.jsonl"
        self._tables = self._folder / "tables"
        self._tables.mkdir(exist_ok=True)
        self._lines.touch()
        self._done = self._read_lines()

    def waiting(self, files: Iterable[str]) -> list[str]:
        """List the files without predictions, in their order."""
        return [file for file in files if file not in self._done]

    def add(self, predictions: Predictions) -> None:
        """Write predictions of some files.

        Args:
            predictions: Predictions of files that are waiting.
        """
        self.errors |= dict(predictions.errors.itertuples(index=False))
        names: dict[str, list[str]] = {}
        rows: dict[str, list[dict]] = {}
        with naming(self.output, self._folder):
            for row in predictions.embeddings.to_dict("records"):
                names.setdefault(row["filename"], []).append(self._write_embedding(row))
            for row in predictions.results.to_dict("records"):
                if row["filename"] not in self.errors:
                    rows.setdefault(row["filename"], []).append(row)
            with open(self._lines, "a", encoding="utf-8") as lines:
                for file, values in rows.items():
                    line = [file, self._state(file), names.get(file, []), values]
                    lines.write(json.dumps(line, default=_plain) + "\n")
        self._done |= rows

    def publish(self, files: Iterable[str], earlier: Iterable[Path] = ()) -> None:
        """Write the tables, move everything to its place and remove earlier results.

        Args:
            files: All files, in the order of the tables.
            earlier: Files of an earlier call, which are removed once the new ones are in place.
        """
        files = list(files)
        results = pd.DataFrame([row for file in files for row in self._done.get(file, [])])
        with naming(self.output, self._folder):
            if len(results):
                Inference.save_prediction_yaml(results, str(self._tables))
                Inference.save_prediction_results(results, str(self._tables))
            write_errors(error_table(files, self.errors), self._tables)
            new = [path for path in self._tables.rglob("*") if path.is_file()]
            places = {self.output / path.relative_to(self._tables): path for path in new}
            for place, path in places.items():
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
            for path in set(earlier) - places.keys():
                path.unlink(missing_ok=True)
        remove(self._folder)

    def _open(self, digest: str) -> Path:
        """Create the hidden folder, or take over that of a killed call with equal settings."""
        folder = temporary_path(self.output, kind="inference")
        for other in self.output.glob(".inference-*"):
            if not is_abandoned(other):
                raise ValueError(f"Another process writes predictions to '{self.output}'.")
            if not folder.exists() and (other / f"{digest}.jsonl").is_file():
                other.rename(folder)
            else:
                remove(other)
        folder.mkdir(exist_ok=True)
        return folder

    def _read_lines(self) -> dict[str, list[dict]]:
        """Rows of the files that are done and unchanged; the last line may be incomplete."""
        done: dict[str, list[dict]] = {}
        whole = 0
        for line in self._lines.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            file, state, names, rows = json.loads(line)
            is_whole = all((self._tables / name).is_file() for name in names)
            if state == self._state(file) and is_whole:
                done[file] = rows
        with open(self._lines, "ab") as lines:
            lines.truncate(whole)
        return done

    def _state(self, file: str) -> list[int] | None:
        """Size and time of change of an audio file, None if it vanished."""
        try:
            state = (self.directory / file).stat()
        except OSError:
            return None
        return [state.st_size, state.st_mtime_ns]

    def _write_embedding(self, row: Mapping[Any, Any]) -> str:
        """Write an embedding and return the name of its file."""
        name = self._embedding_name(row)
        path = self._tables / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_tensors(row["embedding"], path)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            self.errors[row["filename"]] = "its name is too long for the file of its embedding"
        return name

    def _embedding_name(self, row: Mapping[Any, Any]) -> str:
        name = str(row["filename"]).removesuffix("." + self.extension.lstrip("."))
        return f"{name}-{row['offset']}.pt" if "offset" in row else f"{name}.pt"


def _plain(value: Any) -> Any:  # noqa: ANN401  any number of NumPy or torch
    return value.item()
