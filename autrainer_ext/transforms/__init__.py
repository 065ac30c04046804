"""Front ends and deterministic feature transforms."""

from .log_spectrogram import LogMelSpectrogram, LogSpectrogram

__all__ = ["LogMelSpectrogram", "LogSpectrogram"]
