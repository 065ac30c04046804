"""Value of silent features: the baseline of explanations."""

from collections.abc import Sequence

import torch

from autrainer_ext.compat import apply_transform

from .front_end import Transform

_SECONDS = 2.0


def silent_value(transforms: Sequence[Transform], sample_rate: int) -> float:
    """Feature value of silence in a recording that also contains sound.

    The value is the smallest feature of a noise burst followed by digital silence. The burst is
    needed because some front ends scale each clip by its maximum; it comes first so that front
    ends that cut or pad keep both parts.

    Args:
        transforms: Transforms from recording to features, in order.
        sample_rate: Sample rate of the recording in Hz.

    Returns:
        One value for all bins, in the unit of the features.

    Raises:
        ValueError: If a transform fails, or the result is not a finite spectrogram.
    """
    n_samples = int(_SECONDS * sample_rate)
    features = 0.1 * torch.randn(1, n_samples, generator=torch.Generator().manual_seed(0))
    features[:, n_samples // 8 :] = 0
    try:
        for transform in transforms:
            features = apply_transform(transform, features)
    except Exception as error:  # a transform of the user may raise anything
        raise ValueError(f"The features of silence cannot be computed: {error}") from error
    if features.ndim != 3:
        raise ValueError(
            f"The features of silence have shape {tuple(features.shape)}, expected (channels, "
            "frames, mel_bins)."
        )
    lowest = float(features.min())
    if not torch.isfinite(features).all():
        raise ValueError(f"The features of silence are not finite: {lowest}.")
    return lowest
