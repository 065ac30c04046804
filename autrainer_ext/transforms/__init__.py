"""Front ends (recording to features) and deterministic transforms of features."""

from .clip_level import LowestBands, RelativeLevel
from .fixed_length import FixedLength
from .log_spectrogram import LogMelSpectrogram, LogSpectrogram

__all__ = ["FixedLength", "LogMelSpectrogram", "LogSpectrogram", "LowestBands", "RelativeLevel"]
