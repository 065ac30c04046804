"""Read audio files through the front end of a model, several files at a time.

Every step is the one of the host's `Inference`, so the features are the same. Threads decode the
files ahead of the model; an unusable file is reported with a reason instead of raising an error.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import audiofile
import soundfile
import torch
from autrainer.datasets.utils import AudioFileHandler
from autrainer.serving import Inference

from autrainer_ext.compat import apply_transform
from autrainer_ext.trust import check_model_directory

from .audio_files import UnusableFileError, check_file
from .exported import as_model_directory
from .front_end import Transform, stated_rate
from .resampling import check_rate, resample

_AMPLE_SAMPLES = 2**16  # longer than the analysis window of any front end
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Window:
    """Features of a window of an audio file, or of the whole file.

    Attributes:
        file: Path of the file.
        offset: Start and end in seconds, such as "0.00-1.00", or None for the whole file.
        features: Shape (1, ...).
    """

    file: str
    offset: str | None
    features: torch.Tensor


class AudioReader(Inference):
    """The host's `Inference`, with access to the features of each file.

    Args:
        **options: Options of the host's `Inference`; `model_path` may also be an exported file
            (see `exported`). The default of `sample_rate`, which converts
            lengths in seconds to samples, is the rate to which the file handler resamples, else
            the rate of the front end. (The host ignores windows and `min_length` without it.)

    Attributes:
        resampled_rate: Sample rate in Hz to which the file handler resamples, or None.
        sample_rate: Sample rate of the recordings in Hz, or None if it is unknown.

    Raises:
        ValueError: If the model cannot be loaded or names anything but known classes, or if
            lengths in seconds are given and the sample rate is unknown.
    """

    resampled_rate: int | None
    sample_rate: int | None

    def __init__(self, **options: object) -> None:
        model = str(options.get("model_path"))
        with as_model_directory(model) as directory:
            check_model_directory(directory)
            try:
                super().__init__(**{**options, "model_path": directory})
            except Exception as error:
                raise ValueError(f"Model '{model}' cannot be loaded: {brief(error)}") from error
        self.resampled_rate = getattr(self.file_handler, "target_sample_rate", None)
        given = cast("int | None", options.get("sample_rate"))
        self.sample_rate = (
            given or self.resampled_rate or stated_rate([*self.transforms, self.model])
        )
        self._sample_rate = self.sample_rate  # the host uses it for windows and padding
        if self.sample_rate is None and (self._window_length or self._min_length):
            raise ValueError("Lengths in seconds need a sample rate, and the model has none.")

    @property
    def transforms(self) -> list[Transform]:
        """All transforms from recording to features, in order."""
        return [*self.preprocess_pipeline.transforms, *self.inference_transform.transforms]

    def _prepare_ahead(
        self, directory: str, files: Iterable[str], reasons: dict[str, str]
    ) -> Iterator[Window]:
        """Windows of all usable files in order; the reasons of the others go to `reasons`."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            ahead: deque[tuple[str, Future[list[Window]]]] = deque()
            for file in files:
                ahead.append((file, pool.submit(self._prepare, directory, file)))
                if len(ahead) > 4 * _WORKERS:
                    yield from _collect(*ahead.popleft(), reasons)
            while ahead:
                yield from _collect(*ahead.popleft(), reasons)

    def _prepare(self, directory: str, file: str) -> list[Window]:
        path = os.path.join(directory, file)
        check_file(path)
        samples = self._load(path)
        return [Window(file, offset, self._features(part)) for offset, part in self._cut(samples)]

    def _load(self, path: str, window: tuple[float, float] | None = None) -> torch.Tensor:
        try:
            samples = self._read(path, window)
        except soundfile.LibsndfileError as error:
            raise UnusableFileError(f"not readable as audio: {error.error_string}") from error
        if samples.numel() == 0 and not self._min_length:
            raise UnusableFileError("holds no samples")
        if not torch.isfinite(samples).all():
            raise UnusableFileError("holds samples that are not finite numbers")
        return samples

    def _read(self, path: str, window: tuple[float, float] | None) -> torch.Tensor:
        """Read a file as the file handler does, but resample at a bounded cost."""
        if type(self.file_handler) is not AudioFileHandler:
            if window is not None:
                raise UnusableFileError("cannot be read in windows with the reader of the model")
            return self.file_handler.load(path)
        rate = audiofile.sampling_rate(path)
        check_rate(rate)
        if self.resampled_rate is None and self.sample_rate not in (None, rate):
            raise UnusableFileError(
                f"sampled at {rate} Hz where the model expects {self.sample_rate} Hz and does not "
                "resample"
            )
        start, length = window or (0, None)
        samples, _ = audiofile.read(path, offset=start, duration=length, always_2d=True)
        return resample(
            torch.from_numpy(samples),
            rate,
            self.resampled_rate or rate,
            **self.file_handler.kwargs,
        )

    def _cut(self, samples: torch.Tensor) -> Iterator[tuple[str | None, torch.Tensor]]:
        """Offset and samples of each window; without windows, the whole file."""
        if not self._window_length:
            yield None, samples
            return
        length, stride, n_windows = self._create_windows(samples)
        if samples.shape[1] < length:
            samples = self._pad_audio(samples)
            length, stride, n_windows = self._create_windows(samples)
        if samples.shape[1] < length:
            raise UnusableFileError(
                f"shorter than one window: {samples.shape[1]} of {length} samples"
            )
        assert self.sample_rate is not None  # checked when windows were configured
        for start in range(0, n_windows * stride, stride):
            begin, end = start / self.sample_rate, (start + length) / self.sample_rate
            yield f"{begin:.2f}-{end:.2f}", samples[:, start : start + length]

    def _features(self, samples: torch.Tensor) -> torch.Tensor:
        try:
            return self._transformed(samples)
        except Exception as error:
            if self._is_too_short(samples):
                raise UnusableFileError(
                    f"too short to analyse: {samples.shape[-1]} samples (-m pads)"
                ) from error
            raise UnusableFileError(f"preprocessing failed: {brief(error)}") from error

    def _transformed(self, samples: torch.Tensor) -> torch.Tensor:
        features = self._pad_audio(samples)
        for transform in self.transforms:
            features = apply_transform(transform, features)
        return features[None].to(self._device)

    def _is_too_short(self, samples: torch.Tensor) -> bool:
        """Whether preprocessing fails only because there are too few samples."""
        missing = _AMPLE_SAMPLES - samples.shape[-1]
        if missing <= 0:
            return False
        try:
            self._transformed(torch.nn.functional.pad(samples, (0, missing)))
        except Exception:
            return False
        return True


def brief(error: Exception) -> str:
    r"""First line of an error message, or the name of its type if the message is empty.

    Args:
        error: The error.

    Example:
        >>> brief(ValueError("too loud\nin channel 2"))
        'too loud'
    """
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _collect(
    file: str, future: "Future[list[Window]]", reasons: dict[str, str]
) -> Iterator[Window]:
    try:
        yield from future.result()
    except UnusableFileError as error:
        reasons[file] = str(error)
    except Exception as error:
        reasons[file] = f"{type(error).__name__}: {brief(error)}"
