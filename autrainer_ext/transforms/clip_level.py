"""What a log-mel spectrogram keeps of a recording: its lower bands, relative to its loudest."""

import torch
from autrainer.transforms import AbstractTransform


class LowestBands(AbstractTransform):
    """Keep the first mel bands only, for data with nothing above some frequency.

    Recordings of wider bands then look the same as those of the training data.

    Args:
        bands: Number of bands to keep, positive. All of them where there are no more.
        order: Position in the pipeline.

    Raises:
        ValueError: If `bands` is not positive.
    """

    def __init__(self, bands: int, order: int = 0) -> None:
        if bands < 1:
            raise ValueError(f"bands must be positive, got {bands}.")
        super().__init__(order=order)
        self.bands = bands

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Cut `x`, shape (..., frames, mel_bins), to (..., frames, bands)."""
        return x[..., : self.bands]


class RelativeLevel(AbstractTransform):
    """Levels relative to the loudest bin of the clip, from 0 for `range_db` below it to 1.

    y = max(0, 1 + (x - max x) / range_db). The gain of the recording cancels out, and noise
    floors further down than `range_db` become equal. Zero is silence, as in the padding of
    convolutions and the masks of the hosts. A constant clip is 1 everywhere.

    Args:
        range_db: Distance from the loudest bin that is still told from silence in dB, positive.
        order: Position in the pipeline.

    Raises:
        ValueError: If `range_db` is not positive.
    """

    def __init__(self, range_db: float = 50.0, order: int = 0) -> None:
        if range_db <= 0:
            raise ValueError(f"range_db must be positive, got {range_db}.")
        super().__init__(order=order)
        self.range_db = range_db

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise `x`, levels in dB of any shape, to the same shape in [0, 1]."""
        return (1 + (x - x.max()) / self.range_db).clamp(min=0)
