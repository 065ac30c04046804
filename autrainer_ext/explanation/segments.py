"""Segments of a spectrogram: bins that are kept or replaced by the baseline together.

A segmenter takes the features of one clip, shape (channels, frames, mel_bins), and returns the
index of the segment of every bin, shape (frames, mel_bins), int64, counted from 0 without gaps.
If there are fewer frames or bins than requested parts, each is a part of its own.
"""

from collections.abc import Callable

import torch

from .sizes import sounding_segments

Segmenter = Callable[[torch.Tensor], torch.Tensor]


def time_slices(features: torch.Tensor, *, n_slices: int = 10) -> torch.Tensor:
    """Divide a clip into time slices of equal length, up to a frame.

    Example:
        >>> time_slices(torch.zeros(1, 4, 2), n_slices=2).tolist()
        [[0, 0], [0, 0], [1, 1], [1, 1]]
    """
    return grid(features, n_slices=n_slices, n_bands=1)


def bands(features: torch.Tensor, *, n_bands: int = 8) -> torch.Tensor:
    """Divide a clip into frequency bands of equal width in mel, up to a bin.

    Example:
        >>> bands(torch.zeros(1, 2, 4), n_bands=2).tolist()
        [[0, 0, 1, 1], [0, 0, 1, 1]]
    """
    return grid(features, n_slices=1, n_bands=n_bands)


def grid(features: torch.Tensor, *, n_slices: int = 5, n_bands: int = 8) -> torch.Tensor:
    """Divide a clip into cells: equal time slices by bands of equal width in mel.

    Args:
        features: Shape (channels, frames, mel_bins).
        n_slices: Number of time slices.
        n_bands: Number of bands.

    Returns:
        Segments, shape (frames, mel_bins).

    Raises:
        ValueError: If a number is not positive.

    Example:
        >>> grid(torch.zeros(1, 2, 4), n_slices=2, n_bands=2).tolist()
        [[0, 0, 1, 1], [2, 2, 3, 3]]
    """
    frames, mel_bins = features.shape[-2:]
    return _cells(_equal_parts(frames, n_slices), _equal_parts(mel_bins, n_bands))


def onsets(
    features: torch.Tensor, *, n_bands: int = 4, threshold: float = 1.0, min_frames: int = 4
) -> torch.Tensor:
    """Divide a clip into cells whose time borders are onsets of sounds.

    The onset strength is the spectral flux: the increase of the features over one frame, summed
    over channels and bins. A border is a local maximum of the flux that exceeds the mean by
    `threshold` standard deviations and lies at least `min_frames` after the previous border.

    Args:
        features: Shape (channels, frames, mel_bins).
        n_bands: Number of bands of equal width in mel per slice.
        threshold: Height of a border above the mean in standard deviations.
        min_frames: Smallest length of all slices but the last, in frames.

    Returns:
        Segments, shape (frames, mel_bins); a clip of constant level is one slice.

    Example:
        >>> features = torch.zeros(1, 8, 1)
        >>> features[0, 5:] = 1
        >>> onsets(features, n_bands=1)[:, 0].tolist()
        [0, 0, 0, 0, 0, 1, 1, 1]
    """
    flux = features.diff(dim=-2).clamp(min=0).sum(dim=(0, 2))
    border = torch.zeros(features.shape[-2], dtype=torch.long)
    if len(flux) > 1:
        strong = flux > flux.mean() + threshold * flux.std()
        around = torch.nn.functional.pad(flux[None], (1, 1), value=-torch.inf)[0]
        strong &= (flux >= around[:-2]) & (flux > around[2:])
        last = 0
        for frame in (strong.nonzero().flatten() + 1).tolist():
            if frame - last >= min_frames:
                border[frame], last = 1, frame
    return _cells(border.cumsum(0), _equal_parts(features.shape[-1], n_bands))


def quickshift(
    features: torch.Tensor,
    *,
    kernel_size: float = 4,
    max_dist: float = 200,
    ratio: float = 0.2,
    min_segments: int = 8,
) -> torch.Tensor:
    """Divide a clip into regions of similar level by quick shift, as lime's image explainer does.

    Features are first averaged over channels and scaled to [0, 1] over the clip, which gives a grey
    image. A constant clip is divided by distance alone. Short clips have few regions; the width of
    the density estimate is then halved, at most twice, until there are enough.

    Args:
        features: Shape (channels, frames, mel_bins).
        kernel_size: Width of the Gaussian density estimate in bins.
        max_dist: Largest distance in bins between points of one region.
        ratio: Weight of levels relative to positions, in [0, 1].
        min_segments: Number of regions above the lowest level of the clip that are enough; 0 for
            the published segments, whatever their number.

    Returns:
        Segments, shape (frames, mel_bins).

    Source:
        Vedaldi and Soatto (2008), Quick shift and kernel methods for mode seeking, ECCV.

    Example:
        >>> features = torch.zeros(1, 20, 20)
        >>> features[0, 10:] = 1
        >>> quickshift(features, ratio=1.0).shape
        torch.Size([20, 20])
    """
    from skimage.segmentation import quickshift as segment

    values = features.mean(dim=0).detach().cpu().double()
    values = (values - values.min()) / (values.max() - values.min()).clamp(min=1e-12)
    image = values[..., None].expand(-1, -1, 3).numpy()
    segments = torch.zeros(values.shape, dtype=torch.long)
    for width in (kernel_size, kernel_size / 2, kernel_size / 4):
        parts = segment(image, kernel_size=width, max_dist=max_dist, ratio=ratio, rng=0)
        segments = torch.unique(torch.from_numpy(parts).long(), return_inverse=True)[1]
        if len(sounding_segments(segments, values[None])) >= min_segments:
            break
    return segments


SEGMENTERS: dict[str, Segmenter] = {
    "time_slices": time_slices,
    "bands": bands,
    "grid": grid,
    "onsets": onsets,
    "quickshift": quickshift,
}


def _equal_parts(size: int, n_parts: int) -> torch.Tensor:
    if n_parts < 1:
        raise ValueError(f"The number of parts must be positive, got {n_parts}.")
    return torch.arange(size) * min(n_parts, size) // max(size, 1)


def _cells(slices: torch.Tensor, bands: torch.Tensor) -> torch.Tensor:
    return slices[:, None] * (bands.max() + 1) + bands
