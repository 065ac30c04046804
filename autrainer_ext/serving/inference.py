"""Predictions for a folder of audio, in batches; a file that cannot be used is reported.

audio files -> samples -> windows -> features -> batches of one shape -> rows, one per window

Every step is that of the host's `Inference`, so the results are the host's up to rounding.
Only the model runs in batches, files are decoded in threads, and a file that fails becomes
a row of `errors` where the host would stop. Memory holds a few files and a few batches,
besides the rows.
"""

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import audiofile
import pandas as pd
import soundfile
import torch
from autrainer.datasets.utils import AudioFileHandler
from autrainer.serving import Inference

from .audio_files import UnusableFileError, check_file
from .front_end import stated_rate

_BATCH_VALUES = 2**22  # a batch of long inputs stays below 16 MB of single precision numbers
_HELD_BATCHES = 4
_AMPLE_SAMPLES = 2**16  # longer than the analysis window of any front end
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Predictions:
    """What came out of a folder.

    Attributes:
        results: Columns `filename`, `offset` (with windows only), `prediction`, `output` and
            one per class, as in the host's `results.csv`; rows in the order of the files.
        embeddings: Columns `filename`, `offset` (with windows only) and `embedding`; empty
            unless asked for.
        errors: Columns `filename` and `reason`, in the order of the files.
    """

    results: pd.DataFrame
    embeddings: pd.DataFrame
    errors: pd.DataFrame


@dataclass(frozen=True)
class _Item:
    file: str
    offset: str | None
    features: torch.Tensor


class BatchedInference(Inference):
    """The host's `Inference` for whole folders, in batches and without stopping at a bad file.

    Without a `sample_rate` the host ignores `min_length` and windows. Here the default is the
    rate the file handler resamples to, else the one the transforms are made for.

    Args:
        batch_size: Inputs of the model at a time, fewer where they are long.
        **options: Those of the host's `Inference`.

    Attributes:
        resampled_rate: Rate in Hz the file handler brings audio to, or None if it does not.

    Raises:
        ValueError: If the model cannot be loaded, naming the folder and the reason, or if
            lengths are given and their sample rate is not known.
    """

    def __init__(self, *, batch_size: int = 32, **options) -> None:
        try:
            super().__init__(**options)
        except Exception as error:
            raise ValueError(
                f"Model '{options.get('model_path')}' cannot be loaded: {_brief(error)}"
            ) from error
        self.batch_size = batch_size
        self.resampled_rate = getattr(self.file_handler, "target_sample_rate", None)
        self._sample_rate = self._sample_rate or self.resampled_rate or stated_rate(self.transforms)
        if self._sample_rate is None and (self._window_length or self._min_length):
            raise ValueError("Lengths in seconds need a sample rate: the model states none.")

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
            directory: Folder `files` are relative to.
            files: Paths of the files, each once.
            embeddings: Whether to compute embeddings too.
            progress: Wraps `files`, to show how far the work is.

        Returns:
            Predictions, embeddings and errors. A file is in `results` with all its windows,
            or in `errors`.
        """
        files = list(files)
        rows: dict[str, dict] = {file: {} for file in files}
        vectors: dict[str, dict] = {file: {} for file in files}
        reasons: dict[str, str] = {}
        prepared = self._prepare_ahead(directory, progress(files), reasons)
        for batch in self._batches(prepared):
            for item, computed in zip(batch, self._compute(batch, embeddings), strict=True):
                if isinstance(computed, UnusableFileError):
                    reasons.setdefault(item.file, str(computed))
                    continue
                output, vector = computed
                rows[item.file][item.offset] = self._row(item, output)
                vectors[item.file][item.offset] = vector
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
            errors=pd.DataFrame(
                [(file, reasons[file]) for file in files if file in reasons],
                columns=["filename", "reason"],
            ),
        )

    def _prepare_ahead(
        self, directory: str, files: Iterable[str], reasons: dict[str, str]
    ) -> Iterator[_Item]:
        """Features of every usable file in order, decoded ahead in threads."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            ahead: deque = deque()
            for file in files:
                ahead.append((file, pool.submit(self._prepare, directory, file)))
                if len(ahead) > 4 * _WORKERS:
                    yield from _collect(*ahead.popleft(), reasons)
            while ahead:
                yield from _collect(*ahead.popleft(), reasons)

    def _prepare(self, directory: str, file: str) -> list[_Item]:
        path = os.path.join(directory, file)
        check_file(path)
        samples = self._load(path)
        return [_Item(file, offset, self._features(part)) for offset, part in self._cut(samples)]

    def _load(self, path: str) -> torch.Tensor:
        try:
            if self._is_fixed_rate():
                self._check_rate(audiofile.sampling_rate(path))
            samples = self.file_handler.load(path)
        except soundfile.LibsndfileError as error:
            raise UnusableFileError(f"not readable as audio: {error.error_string}") from error
        if samples.numel() == 0 and not self._min_length:
            raise UnusableFileError("holds no samples")
        if not torch.isfinite(samples).all():
            raise UnusableFileError("holds samples that are not finite numbers")
        return samples

    @property
    def sample_rate(self) -> int | None:
        """Sample rate of the recordings in Hz, or None if neither option nor model states one."""
        return self._sample_rate

    @property
    def transforms(self) -> list:
        """All transforms from the recording to the features."""
        return [*self.preprocess_pipeline.transforms, *self.inference_transform.transforms]

    def _is_fixed_rate(self) -> bool:
        return isinstance(self.file_handler, AudioFileHandler) and self.resampled_rate is None

    def _check_rate(self, rate: int) -> None:
        expected = self._sample_rate or rate
        if rate != expected:
            raise UnusableFileError(
                f"sampled at {rate} Hz where the model expects {expected} Hz and does not resample"
            )

    def _cut(self, samples: torch.Tensor) -> Iterator[tuple[str | None, torch.Tensor]]:
        """The windows of a file under their names; without windows the whole file."""
        if not self._window_length:
            yield None, samples
            return
        length, stride, n_windows = self._create_windows(samples)
        if n_windows < 1:
            samples = self._pad_audio(samples)
            length, stride, n_windows = self._create_windows(samples)
        if n_windows < 1:
            raise UnusableFileError(
                f"shorter than one window: {samples.shape[1]} of {length} samples"
            )
        for start in range(0, n_windows * stride, stride):
            begin, end = start / self._sample_rate, (start + length) / self._sample_rate
            yield f"{begin:.2f}-{end:.2f}", samples[:, start : start + length]

    def _features(self, samples: torch.Tensor) -> torch.Tensor:
        try:
            return self._preprocess_file(samples)
        except Exception as error:
            if self._needs_more(samples):
                raise UnusableFileError(
                    f"too short to analyse: {samples.shape[-1]} samples (-m pads)"
                ) from error
            raise UnusableFileError(f"preprocessing failed: {_brief(error)}") from error

    def _needs_more(self, samples: torch.Tensor) -> bool:
        """Whether only the length of `samples` keeps them from being analysed."""
        missing = _AMPLE_SAMPLES - samples.shape[-1]
        if missing <= 0:
            return False
        try:
            self._preprocess_file(torch.nn.functional.pad(samples, (0, missing)))
        except Exception:
            return False
        return True

    def _batches(self, items: Iterable[_Item]) -> Iterator[list[_Item]]:
        """Items in groups of one shape, passed on when full or when too much is waiting."""
        groups: dict[tuple, list[_Item]] = defaultdict(list)
        waiting = 0
        for item in items:
            full = item.features.shape, item.features.dtype
            values = item.features.numel()
            groups[full].append(item)
            waiting += values
            if len(groups[full]) < min(self.batch_size, _BATCH_VALUES // max(values, 1) or 1):
                if waiting < _HELD_BATCHES * _BATCH_VALUES:
                    continue
                full = max(groups, key=lambda key: len(groups[key]))
            batch = groups.pop(full)
            waiting -= sum(item.features.numel() for item in batch)
            yield batch
        yield from groups.values()

    def _compute(
        self, batch: list[_Item], embeddings: bool
    ) -> list[tuple[torch.Tensor, torch.Tensor | None] | UnusableFileError]:
        """Model output, shape (1, ...), and embedding of every item, or why there is none."""
        features = torch.cat([item.features for item in batch])
        try:
            with torch.inference_mode():
                outputs = self.model(features).cpu()
                vectors = self.model.embeddings(features).cpu() if embeddings else None
        except Exception as error:
            if len(batch) == 1:
                return [UnusableFileError(f"the model failed: {_brief(error)}")]
            return [self._compute([item], embeddings)[0] for item in batch]
        return [
            # clones: a saved view would take the memory of the whole batch along
            (outputs[i : i + 1], None if vectors is None else vectors[i].squeeze().clone())
            if torch.isfinite(outputs[i]).all()
            else UnusableFileError("the output of the model is not finite")
            for i in range(len(batch))
        ]

    def _row(self, item: _Item, output: torch.Tensor) -> dict:
        probabilities = self.target_transform.probabilities_inference(output)
        prediction = self.target_transform.predict_inference(probabilities)
        return {
            **_key(item.file, item.offset),
            "prediction": self.target_transform.decode(prediction),
            "output": output.squeeze().tolist(),
            **self.target_transform.probabilities_to_dict(probabilities.squeeze()),
        }

    def _rows(self, file: str, rows: dict[str | None, dict]) -> list[dict]:
        """Rows of a file in time; with windows the vote of the majority comes last."""
        ordered = [row for _, row in _in_time(rows)]
        if not self._window_length:
            return ordered
        vote = self.target_transform.majority_vote([row["prediction"] for row in ordered])
        described = _key(file, "majority") | {"prediction": vote, "output": []}
        return [*ordered, {key: described.get(key) for key in ordered[0]}]


def _collect(file: str, future: Future, reasons: dict[str, str]) -> Iterator[_Item]:
    try:
        yield from future.result()
    except UnusableFileError as error:
        reasons[file] = str(error)
    except Exception as error:
        reasons[file] = f"{type(error).__name__}: {_brief(error)}"


def _key(file: str, offset: str | None) -> dict[str, str]:
    return {"filename": file} if offset is None else {"filename": file, "offset": offset}


def _in_time(windows: dict[str | None, object]) -> list[tuple]:
    """Windows by their start: batches of several shapes may finish in another order."""
    return sorted(windows.items(), key=lambda item: float((item[0] or "0-").split("-")[0]))


def _brief(error: Exception) -> str:
    """First line of an error message, or its type where there is none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
