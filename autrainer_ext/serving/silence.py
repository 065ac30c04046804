"""What a front end makes of silence: the baseline of explanations."""

from collections.abc import Sequence

import torch

_SECONDS = 2.0


def silent_value(transforms: Sequence, sample_rate: int) -> float:
    """Value of silent features beside a sound.

    The features of a burst of noise followed by digital silence are computed, and their smallest
    value is taken: front ends that scale a clip by its maximum have no silence of their own, and
    those that cut or pad keep both.

    Args:
        transforms: All transforms from the recording to the features, in their order.
        sample_rate: Sampling rate of the recording in Hz.

    Returns:
        One number for all bins, in the unit of the features.

    Raises:
        ValueError: If the transforms fail, or make no finite spectrogram of it.
    """
    n_samples = int(_SECONDS * sample_rate)
    features = 0.1 * torch.randn(1, n_samples, generator=torch.Generator().manual_seed(0))
    features[:, n_samples // 8 :] = 0
    try:
        for transform in transforms:
            features = transform(features)
    except Exception as error:  # whatever a transform of the user raises
        raise ValueError(f"The features of silence cannot be computed: {error}") from error
    if features.ndim != 3:
        raise ValueError(
            f"The features of silence have the shape {tuple(features.shape)}, expected (channels, "
            "frames, mel_bins)."
        )
    lowest = float(features.min())
    if not torch.isfinite(features).all():
        raise ValueError(f"The features of silence are not finite: {lowest}.")
    return lowest
