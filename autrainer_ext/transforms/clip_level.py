"""Restriction of log-mel spectrograms to the lowest bands and to levels relative to the peak."""

import torch
from autrainer.transforms import AbstractTransform

from autrainer_ext.compat import on_features


class LowestBands(AbstractTransform):
    """Keep the lowest mel bands only, for data without content above some frequency.

    Recordings with a wider band then match band-limited training data.

    Args:
        bands: Number of bands to keep, positive. Features with fewer bands are unchanged.
        order: Position in the pipeline.

    Raises:
        ValueError: If `bands` is not positive.
    """

    def __init__(self, bands: int, order: int = 0) -> None:
        if bands < 1:
            raise ValueError(f"Argument 'bands' must be positive, got {bands}.")
        super().__init__(order=order)
        self.bands = bands

    @on_features
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Cut `x`, shape (..., frames, mel_bins), to (..., frames, bands)."""
        return x[..., : self.bands]


class RelativeLevel(AbstractTransform):
    """Levels relative to the loudest bin of the clip, scaled to [0, 1].

    y = max(0, 1 + (x - max x) / range_db): 1 is the loudest bin, 0 is `range_db` below it or less.
    The gain of the recording cancels out, and noise floors below the range become equal. Silence
    is 0, the value that convolutions pad with and the hosts mask with. A constant clip is 1
    everywhere.

    Args:
        range_db: Dynamic range in dB, positive.
        order: Position in the pipeline.

    Raises:
        ValueError: If `range_db` is not positive.
    """

    def __init__(self, range_db: float = 50.0, order: int = 0) -> None:
        if range_db <= 0:
            raise ValueError(f"Argument 'range_db' must be positive, got {range_db}.")
        super().__init__(order=order)
        self.range_db = range_db

    @on_features
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise `x`, levels in dB of any shape, to the same shape in [0, 1]."""
        return (1 + (x - x.max()) / self.range_db).clamp(min=0)
