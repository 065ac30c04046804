"""Spectrograms, attribution maps, and spectrograms overlaid with attributions."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import FixedLocator, NullLocator

_TICKS_HZ = np.array([62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000])


def draw_spectrogram(
    axes: Axes,
    values: np.ndarray,
    *,
    frame_seconds: float | None = None,
    frequencies_hz: np.ndarray | None = None,
    start_frame: int = 0,
    cmap: str = "magma",
    limits: tuple[float, float] | None = None,
) -> AxesImage:
    """Draw a spectrogram: time to the right, frequency upward.

    Args:
        axes: Axes to draw on.
        values: Shape (frames, bins), lowest bin first.
        frame_seconds: Hop between frames in seconds. Default: the axis counts frames.
        frequencies_hz: Centre frequency of every bin in Hz, ascending. Surplus centres at the end
            are ignored (bins cut off at the top). Default: the axis counts bins.
        start_frame: Position of the first frame on the time axis.
        cmap: Name of the colour map.
        limits: Values at the lower and upper end of the colour map. Default: the smallest and
            the largest value.

    Returns:
        The image, for a colour bar.

    Raises:
        ValueError: If `values` is not two-dimensional or has more bins than there are centres.
    """
    if values.ndim != 2:
        raise ValueError(f"Spectrogram must have shape (frames, bins), got {values.shape}.")
    low, high = limits or (float(values.min()), float(values.max()))
    image = axes.imshow(
        values.T,
        cmap=cmap,
        vmin=low,
        vmax=high if high > low else low + 1,
        **_placement(values, frame_seconds, start_frame),
    )
    axes.set_xlabel("time in s" if frame_seconds else "frame")
    axes.set_ylabel("bin" if frequencies_hz is None else "frequency in kHz")
    if frequencies_hz is not None:
        _set_frequency_ticks(axes, frequencies_hz, values.shape[1])
    return image


def draw_attributions(
    axes: Axes,
    values: np.ndarray,
    *,
    frame_seconds: float | None = None,
    frequencies_hz: np.ndarray | None = None,
    start_frame: int = 0,
) -> AxesImage:
    """Draw attributions: evidence for the target in red, against it in blue, zero in white.

    The colours saturate at the 99.5 % quantile of the magnitudes.

    Args:
        axes: Axes to draw on.
        values: Attributions, shape (frames, bins). Values that are not finite are white.
        frame_seconds: See `draw_spectrogram`.
        frequencies_hz: See `draw_spectrogram`.
        start_frame: See `draw_spectrogram`.

    Returns:
        The image, for a colour bar.
    """
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    # scaled to the maximum, a few extreme bins would leave the rest white
    limit = float(np.quantile(np.abs(values), 0.995)) or float(np.abs(values).max()) or 1.0
    return draw_spectrogram(
        axes,
        values,
        frame_seconds=frame_seconds,
        frequencies_hz=frequencies_hz,
        start_frame=start_frame,
        cmap="RdBu_r",
        limits=(-limit, limit),
    )


def draw_explained_spectrogram(
    axes: Axes,
    values: np.ndarray,
    attributions: np.ndarray | None = None,
    *,
    frame_seconds: float | None = None,
    frequencies_hz: np.ndarray | None = None,
) -> AxesImage:
    """Draw a grey spectrogram overlaid with attributions, transparent where they are zero.

    Args:
        axes: Axes to draw on.
        values: Features, shape (frames, bins).
        attributions: Attributions, not negative, same shape as `values`; most opaque at the
            largest. Default: the spectrogram alone, in colour.
        frame_seconds: See `draw_spectrogram`.
        frequencies_hz: See `draw_spectrogram`.

    Returns:
        The image of the spectrogram.

    Raises:
        ValueError: If the shapes differ.
    """
    if attributions is None:
        return draw_spectrogram(
            axes, values, frame_seconds=frame_seconds, frequencies_hz=frequencies_hz
        )
    if attributions.shape != values.shape:
        raise ValueError(
            f"Attributions must have the shape of the values, {values.shape}, "
            f"got {attributions.shape}."
        )
    image = draw_spectrogram(
        axes,
        values,
        frame_seconds=frame_seconds,
        frequencies_hz=frequencies_hz,
        cmap="gray_r",
    )
    largest = attributions.max()
    shares = attributions / largest if largest > 0 else np.zeros(values.shape)
    placement = _placement(values, frame_seconds)
    axes.imshow(shares.T, cmap="viridis", vmin=0, vmax=1, alpha=0.85 * shares.T, **placement)
    return image


def _placement(
    values: np.ndarray, frame_seconds: float | None, start_frame: int = 0
) -> dict[str, Any]:
    """Arguments of `imshow` for an image of shape (frames, bins)."""
    frames, bins = values.shape
    unit = frame_seconds or 1
    return {
        "origin": "lower",
        "aspect": "auto",
        "interpolation": "nearest",
        "extent": (start_frame * unit, (start_frame + frames) * unit, -0.5, bins - 0.5),
    }


def _set_frequency_ticks(axes: Axes, frequencies_hz: np.ndarray, n_bins: int) -> None:
    """Label octaves, from the top down; omit labels that would touch the one above."""
    if len(frequencies_hz) < n_bins:
        raise ValueError(
            f"{len(frequencies_hz)} frequencies do not fit {n_bins} bins: one per bin is needed."
        )
    frequencies_hz = frequencies_hz[:n_bins]
    places = np.interp(_TICKS_HZ, frequencies_hz, np.arange(n_bins))
    shown: list[int] = []
    for index in reversed(range(len(_TICKS_HZ))):
        within = frequencies_hz[0] <= _TICKS_HZ[index] <= frequencies_hz[-1]
        if within and (not shown or places[shown[-1]] - places[index] >= n_bins / 14):
            shown.append(index)
    shown.reverse()
    axes.yaxis.set_major_locator(FixedLocator(places[shown].tolist()))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticklabels([f"{hz / 1000:g}" for hz in _TICKS_HZ[shown]])
