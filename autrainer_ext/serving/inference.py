"""Predict the audio files of a folder in batches, and report files that cannot be used.

audio files -> samples -> windows -> features -> batches of one shape -> rows, one per window

The results equal those of the host's `Inference` up to rounding: only the network runs in batches,
and an unusable file becomes a row of `errors`, where the host would stop. Memory holds a few files
and a few batches besides the rows.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import pandas as pd
import torch
from autrainer.models import AbstractModel
from torch import nn

from .audio_files import UnusableFileError, error_table
from .audio_reader import AudioReader, Window, brief
from .exported import ExportedNetwork
from .forward import ForwardPass, choose_device
from .predictions import Predictions

_HELD_VALUES = 2**24  # 64 MB of features wait for others of their shape
_Value = TypeVar("_Value")


class BatchedInference(AudioReader):
    """The host's `Inference` for whole folders, in batches and without stopping at a bad file.

    Args:
        batch_size: Most inputs per forward pass, or None for as many as fit.
        device: Device of the network; see `choose_device`. The front end runs on the processor.
        n_expected: Number of files of all calls of `run`, or None for many.
        **options: Options of `AudioReader`.

    Raises:
        ValueError: As `AudioReader`, or if the device does not exist.
    """

    def __init__(
        self,
        *,
        batch_size: int | None = None,
        device: str = "auto",
        n_expected: int | None = None,
        **options: object,
    ) -> None:
        choose_device(device)
        super().__init__(**options)
        self.batch_size = batch_size
        self.device = device
        self.n_expected = n_expected
        self._engines: dict[bool, ForwardPass] = {}  # with and without embeddings

    def run(
        self,
        directory: str,
        files: Iterable[str],
        *,
        embeddings: bool = False,
        progress: Callable[[Iterable[str]], Iterable[str]] = iter,
    ) -> Predictions:
        """Predict files.

        Args:
            directory: Folder to which `files` are relative.
            files: Paths of the files, without repetition.
            embeddings: Whether to compute embeddings too.
            progress: Function that wraps `files` and shows the progress.

        Returns:
            Predictions, embeddings and errors. Each file is either in `results` with all its
            windows, or in `errors`.
        """
        files = list(files)
        rows: dict[str, dict[str | None, dict]] = {file: {} for file in files}
        vectors: dict[str, dict[str | None, torch.Tensor | None]] = {file: {} for file in files}
        reasons: dict[str, str] = {}
        prepared = self._prepare_ahead(directory, progress(files), reasons)
        forward = self._engine(embeddings)
        for batch in _batches(prepared, forward):
            for window, computed in zip(batch, _compute(batch, forward), strict=True):
                if isinstance(computed, UnusableFileError):
                    reasons.setdefault(window.file, str(computed))
                    continue
                output, vector = computed
                rows[window.file][window.offset] = self._row(window, output)
                vectors[window.file][window.offset] = vector
        usable = [file for file in files if file not in reasons]
        return Predictions(
            results=pd.DataFrame([row for file in usable for row in self._rows(file, rows[file])]),
            embeddings=pd.DataFrame(
                [
                    {**_key(file, offset), "embedding": vector}
                    for file in usable
                    for offset, vector in _in_time(vectors[file])
                    if embeddings
                ]
            ),
            errors=error_table(files, reasons),
        )

    def _engine(self, embeddings: bool) -> ForwardPass:
        """Forward passes of the model, the same in all calls: exporting it takes seconds."""
        if embeddings not in self._engines:
            self._engines[embeddings] = ForwardPass(
                _WithEmbeddings(self.model) if embeddings else self.model,
                device=self.device,
                backend="torch" if isinstance(self.model, ExportedNetwork) else "auto",
                batch_size=self.batch_size,
                n_expected=None if self._window_length else self.n_expected,
            )
        return self._engines[embeddings]

    def _row(self, window: Window, output: torch.Tensor) -> dict[str, Any]:
        probabilities = self.target_transform.probabilities_inference(output)
        prediction = self.target_transform.predict_inference(probabilities)
        return {
            **_key(window.file, window.offset),
            "prediction": self.target_transform.decode(prediction),
            "output": output.squeeze().tolist(),
            **self.target_transform.probabilities_to_dict(probabilities.squeeze()),
        }

    def _rows(self, file: str, rows: Mapping[str | None, dict]) -> list[dict]:
        """Rows of a file in order of time; with windows, followed by the majority vote."""
        ordered = [row for _, row in _in_time(rows)]
        if not self._window_length:
            return ordered
        vote = self.target_transform.majority_vote([row["prediction"] for row in ordered])
        described = _key(file, "majority") | {"prediction": vote, "output": []}
        return [*ordered, {key: described.get(key) for key in ordered[0]}]


def _batches(windows: Iterable[Window], forward: ForwardPass) -> Iterator[list[Window]]:
    """Group windows of one shape; a group is complete if it is full or too much is waiting."""
    groups: dict[tuple, list[Window]] = defaultdict(list)
    waiting = 0
    for window in windows:
        full = window.features.shape, window.features.dtype
        values = window.features.numel()
        groups[full].append(window)
        waiting += values
        if len(groups[full]) < forward.batch_size_for(window.features.shape[1:]):
            if waiting < _HELD_VALUES:
                continue
            full = max(groups, key=lambda key: len(groups[key]))
        batch = groups.pop(full)
        waiting -= sum(each.features.numel() for each in batch)
        yield batch
    yield from groups.values()


def _compute(
    batch: list[Window], forward: ForwardPass
) -> list[tuple[torch.Tensor, torch.Tensor | None] | UnusableFileError]:
    """Model output, shape (1, ...), and embedding of each window, or the reason of a failure.

    If a batch fails, its windows are computed one by one.
    """
    features = torch.cat([window.features for window in batch])
    try:
        outputs, *rest = next(forward.outputs([features]))
    except Exception as error:
        if len(batch) == 1:
            return [UnusableFileError(f"the model failed: {brief(error)}")]
        return [_compute([window], forward)[0] for window in batch]
    return [
        # a clone, because a saved view would contain the memory of the whole batch
        (outputs[i : i + 1], rest[0][i].squeeze().clone() if rest else None)
        if torch.isfinite(outputs[i]).all()
        else UnusableFileError("the output of the model is not finite")
        for i in range(len(batch))
    ]


class _WithEmbeddings(nn.Module):
    """Network of the host that returns its outputs and its embeddings."""

    def __init__(self, model: AbstractModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.model(features), self.model.embeddings(features)


def _key(file: str, offset: str | None) -> dict[str, Any]:
    return {"filename": file} if offset is None else {"filename": file, "offset": offset}


def _in_time(windows: Mapping[str | None, _Value]) -> list[tuple[str | None, _Value]]:
    """Sort windows by their start: batches of different shapes may finish in another order."""
    return sorted(windows.items(), key=lambda item: float((item[0] or "0-").split("-")[0]))
