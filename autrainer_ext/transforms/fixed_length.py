"""Fixed number of frames for every clip."""

import torch
from autrainer.transforms import AbstractTransform

from autrainer_ext.compat import on_features


class FixedLength(AbstractTransform):
    """Pad short log-mel spectrograms on both sides and cut long ones to their loudest part.

    Short spectrograms are centred; with an odd number of missing frames, the extra frame is
    added at the end. Of long spectrograms, the `length` frames with the largest power under a
    Hann window are kept (the first of equals), which centres a word surrounded by silence or
    steady noise. The result is deterministic.

    Args:
        length: Number of frames, positive.
        level: Value of padded frames in dB. Default: silence in the hosts' log-mel front ends,
            whose smallest power is 1e-10.
        order: Position in the pipeline.

    Raises:
        ValueError: If `length` is not positive. When called: if the spectrogram has no frames.
    """

    def __init__(self, length: int, level: float = -100.0, order: int = 0) -> None:
        if length < 1:
            raise ValueError(f"Argument 'length' must be positive, got {length}.")
        super().__init__(order=order)
        self.length = length
        self.level = level
        # Without the two zeros at its ends: the outermost frames count, and length 1 works.
        self._window = torch.hann_window(length + 2, periodic=False)[1:-1].view(1, 1, -1)

    @on_features
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Cut or pad to `length` frames.

        Args:
            x: Levels in dB, shape (..., frames, mel_bins), at least one frame.

        Returns:
            Shape (..., length, mel_bins).
        """
        frames = x.shape[-2]
        if frames == 0:
            raise ValueError(
                f"Spectrogram of shape {tuple(x.shape)} has no frames: at least one is required."
            )
        if frames > self.length:
            start = self._loudest(x)
            return x[..., start : start + self.length, :]
        missing = self.length - frames
        padding = (0, 0, missing // 2, missing - missing // 2)
        return torch.nn.functional.pad(x, padding, value=self.level)

    def _loudest(self, x: torch.Tensor) -> int:
        power = torch.pow(10.0, (x - x.max()) / 10).transpose(-1, -2).flatten(0, -2).mean(0)
        return int(torch.nn.functional.conv1d(power.view(1, 1, -1), self._window).argmax())
