"""Features of a folder of audio as the front end of a model makes them, all at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from .audio_files import UnusableFileError
from .inference import BatchedInference


@dataclass(frozen=True)
class Features:
    """Inputs of a network.

    Attributes:
        files: The files they are from, N names.
        features: Shape (N, ...).
        errors: Files that could not be used, columns `filename` and `reason`.
    """

    files: list[str]
    features: torch.Tensor
    errors: pd.DataFrame


class FeatureReader(BatchedInference):
    """Reads audio through the front end of a model; its network is in `model`.

    Args:
        length_seconds: What clips are cut or padded with zeros to, or None to leave them.
        **options: Those of `BatchedInference`.

    Attributes:
        change: Changes the samples, shape (channels, samples), of a file, given by its path, or
            None.

    Raises:
        ValueError: If the model cannot be loaded, or a length is given and no sample rate known.
    """

    def __init__(self, *, length_seconds: float | None = None, **options) -> None:
        super().__init__(**options)
        if length_seconds is not None and not length_seconds > 0:
            raise ValueError(f"The length must be positive, got {length_seconds} s.")
        if length_seconds is not None and self.sample_rate is None:
            raise ValueError("A length in seconds needs a sample rate: the model states none.")
        self._length = length_seconds and round(length_seconds * self.sample_rate)
        self.change: Callable[[torch.Tensor, str], torch.Tensor] | None = None

    def read(
        self,
        directory: Path | str,
        files: Iterable[str],
        *,
        progress: Callable[[Iterable[str]], Iterable[str]] = iter,
    ) -> Features:
        """Features of files, which must have one shape.

        Args:
            directory: Folder `files` are relative to.
            files: Paths, each once.
            progress: Wraps `files`.

        Returns:
            Features in the order of the files. Where shapes differ the most frequent one stays and
            the others are among the errors.
        """
        files = list(files)
        reasons: dict[str, str] = {}
        items = list(self._prepare_ahead(str(directory), progress(files), reasons))
        shapes = pd.Series([tuple(item.features.shape[1:]) for item in items], dtype=object)
        common = shapes.mode().iloc[0] if len(shapes) else ()
        for item, shape in zip(items, shapes, strict=True):
            if shape != common:
                reasons[item.file] = (
                    f"its features have shape {shape}, most have {common}: give one length"
                )
            elif not torch.isfinite(item.features).all():
                reasons[item.file] = "its features are not finite"
        usable = [item for item in items if item.file not in reasons]
        return Features(
            files=[item.file for item in usable],
            features=torch.cat([item.features for item in usable]) if usable else torch.empty(0),
            errors=pd.DataFrame(
                [(file, reasons[file]) for file in files if file in reasons],
                columns=["filename", "reason"],
            ),
        )

    def _load(self, path: str) -> torch.Tensor:
        samples = super()._load(path)
        if self._length:
            samples = samples[:, : self._length]
            samples = torch.nn.functional.pad(samples, (0, self._length - samples.shape[1]))
        if self.change is None:
            return samples
        try:
            return self.change(samples, path)
        except ValueError as error:
            raise UnusableFileError(str(error)) from error
