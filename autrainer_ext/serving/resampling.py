"""Resampling whose cost is bounded for any pair of sample rates."""

from fractions import Fraction

import torch
import torchaudio

from .audio_files import UnusableFileError

# Rates of recordings: seismic sensors are below, ultrasonic ones up to the upper limit.
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
_LARGEST_TERM = 2048  # the cost per sample; 11,025 Hz to 96,000 Hz, a ratio of 147/1280, is exact


def check_rate(rate: int) -> None:
    """Check that a sample rate is plausible for a recording.

    Args:
        rate: Sample rate in Hz, as the header of a file states it.

    Raises:
        UnusableFileError: If the rate is below 1,000 Hz or above 768,000 Hz.

    Example:
        >>> check_rate(44_100)
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UnusableFileError(
            f"its header states a sample rate of {rate} Hz, expected {LOWEST_RATE} to "
            f"{HIGHEST_RATE} Hz"
        )


def resample(samples: torch.Tensor, rate: int, new_rate: int, **options: object) -> torch.Tensor:
    """Resample recordings as the host does, with a bounded cost.

    The filter of `torchaudio.functional.resample` grows with the terms of the reduced ratio of
    both rates: for 44,099 Hz to 16,000 Hz it has 44,099 x 16,000 taps. Where a term exceeds 2,048,
    the closest ratio with smaller terms is used. Pitch and duration then differ by at most
    0.037 %, by at most 0.025 % where no rate is more than twenty times the other. All pairs of 8,
    11.025, 16, 22.05, 24, 32, 44.1, 48 and 96 kHz have smaller terms: their results are those of
    torchaudio, bit by bit.

    Args:
        samples: Shape (..., samples).
        rate: Sample rate of the samples in Hz.
        new_rate: Sample rate of the result in Hz.
        **options: Options of `torchaudio.transforms.Resample`.

    Returns:
        Shape (..., resampled).

    Raises:
        UnusableFileError: If `rate` is not plausible.

    Example:
        >>> resample(torch.zeros(1, 44_099), 44_099, 16_000).shape
        torch.Size([1, 16000])
    """
    check_rate(rate)
    if rate == new_rate or not samples.numel():
        return samples
    ratio = bounded_ratio(rate, new_rate)
    resampler = torchaudio.transforms.Resample(ratio.numerator, ratio.denominator, **options)
    return resampler(samples)


def bounded_ratio(rate: int, new_rate: int) -> Fraction:
    """Closest ratio of two rates with terms of at most 2,048.

    Args:
        rate: First rate.
        new_rate: Second rate.

    Returns:
        Ratio with a relative error of at most 0.037 %; exact if the reduced terms are small.

    Example:
        >>> bounded_ratio(44_100, 16_000), bounded_ratio(44_099, 16_000)
        (Fraction(441, 160), Fraction(1447, 525))
    """
    if rate < new_rate:
        return 1 / bounded_ratio(new_rate, rate)
    ratio = Fraction(rate, new_rate)
    return ratio.limit_denominator(max(1, int(_LARGEST_TERM / ratio)))
