"""Features of all audio files of a folder, computed by the front end of a model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from .audio_files import UnusableFileError, error_table
from .audio_reader import AudioReader


@dataclass(frozen=True)
class Features:
    """Features of N audio files.

    Attributes:
        files: Names of the files, length N.
        features: Shape (N, ...).
        errors: Files that could not be used, columns `filename` and `reason`.
    """

    files: list[str]
    features: torch.Tensor
    errors: pd.DataFrame


class FeatureReader(AudioReader):
    """Reads audio files through the front end of a model; its network is the attribute `model`.

    Args:
        length_seconds: Length to which recordings are cut or padded with zeros, in seconds, or
            None to keep their length.
        **options: Options of `AudioReader`.

    Attributes:
        change: Function of the samples, shape (channels, samples), and the path of a file that
            returns changed samples, or None to leave recordings unchanged.

    Raises:
        ValueError: If the model cannot be loaded, or if a length is given and the sample rate is
            unknown.
    """

    def __init__(self, *, length_seconds: float | None = None, **options: object) -> None:
        super().__init__(**options)
        self._length: int | None = None
        if length_seconds is not None:
            if not length_seconds > 0:
                raise ValueError(f"The length must be positive, got {length_seconds} s.")
            if self.sample_rate is None:
                raise ValueError("A length in seconds needs a sample rate, and the model has none.")
            self._length = round(length_seconds * self.sample_rate)
        self.change: Callable[[torch.Tensor, str], torch.Tensor] | None = None

    def read(
        self,
        directory: Path | str,
        files: Iterable[str],
        *,
        progress: Callable[[Iterable[str]], Iterable[str]] = iter,
    ) -> Features:
        """Compute the features of files; they must have one shape.

        Args:
            directory: Folder to which `files` are relative.
            files: Paths of the files, without repetition.
            progress: Function that wraps `files` and shows the progress.

        Returns:
            Features in the order of the files. If shapes differ, files whose shape is not the most
            frequent one are errors.
        """
        files = list(files)
        reasons: dict[str, str] = {}
        windows = list(self._prepare_ahead(str(directory), progress(files), reasons))
        shapes = pd.Series([tuple(each.features.shape[1:]) for each in windows], dtype=object)
        common = shapes.mode().iloc[0] if len(shapes) else ()
        for window, shape in zip(windows, shapes, strict=True):
            if shape != common:
                reasons[window.file] = (
                    f"its features have shape {shape}, most have {common}: give one length"
                )
            elif not torch.isfinite(window.features).all():
                reasons[window.file] = "its features are not finite"
        usable = [window for window in windows if window.file not in reasons]
        return Features(
            files=[window.file for window in usable],
            features=torch.cat([each.features for each in usable]) if usable else torch.empty(0),
            errors=error_table(files, reasons),
        )

    def _load(self, path: str, window: tuple[float, float] | None = None) -> torch.Tensor:
        samples = super()._load(path, window)
        if self._length:
            samples = samples[:, : self._length]
        if self.change is not None:  # before padding: silence would lower the level of noise
            try:
                samples = self.change(samples, path)
            except ValueError as error:
                raise UnusableFileError(str(error)) from error
        if self._length:
            samples = samples[:, : self._length]
            samples = torch.nn.functional.pad(samples, (0, self._length - samples.shape[1]))
        return samples
