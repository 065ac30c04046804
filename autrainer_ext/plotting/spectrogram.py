"""Spectrograms, attributions, and both on top of each other."""

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
    cmap: str = "magma",
    limits: tuple[float, float] | None = None,
) -> AxesImage:
    """Draw values over time and frequency, low frequencies at the bottom.

    Args:
        axes: Axes to draw on.
        values: Shape (frames, bins), lowest bin first.
        frame_seconds: Time from one frame to the next, or None to count frames.
        frequencies_hz: Centre of every bin, ascending, or None to count bins. More centres than
            bins belong to bins that were cut off at the top.
        cmap: Colour map.
        limits: Values of the first and the last colour. Default: the extremes.

    Returns:
        The image, to which a colour bar can be added.

    Raises:
        ValueError: If `values` is not two-dimensional or has more bins than there are centres.
    """
    if values.ndim != 2:
        raise ValueError(f"Values must have the shape (frames, bins), got {values.shape}.")
    low, high = limits or (float(values.min()), float(values.max()))
    image = axes.imshow(
        values.T,
        cmap=cmap,
        vmin=low,
        vmax=high if high > low else low + 1,
        **_placement(values, frame_seconds),
    )
    axes.set_xlabel("time in s" if frame_seconds else "frame")
    axes.set_ylabel("bin" if frequencies_hz is None else "frequency in kHz")
    if frequencies_hz is not None:
        _set_frequency_ticks(axes, frequencies_hz, values.shape[1])
    return image


def draw_attributions(axes: Axes, values: np.ndarray, **options: object) -> AxesImage:
    """Draw attributions: red for the target, blue against it, white at zero.

    Args:
        axes: Axes to draw on.
        values: Shape (frames, bins); values that are not finite are white.
        **options: `frame_seconds` and `frequencies_hz` of `draw_spectrogram`.

    Returns:
        The image.
    """
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    # a few extreme bins would leave the rest white
    limit = float(np.quantile(np.abs(values), 0.995)) or float(np.abs(values).max()) or 1.0
    return draw_spectrogram(axes, values, cmap="RdBu_r", limits=(-limit, limit), **options)


def draw_explained_spectrogram(
    axes: Axes, values: np.ndarray, attributions: np.ndarray | None = None, **options: object
) -> AxesImage:
    """Draw a grey spectrogram with attributions on top, transparent at zero.

    Args:
        axes: Axes to draw on.
        values: Shape (frames, bins).
        attributions: Shape of `values`, not negative; opaque at the largest value. None draws the
            spectrogram alone, in colours.
        **options: `frame_seconds` and `frequencies_hz` of `draw_spectrogram`.

    Returns:
        The image of the spectrogram.

    Raises:
        ValueError: If the shapes differ.
    """
    if attributions is None:
        return draw_spectrogram(axes, values, **options)
    if attributions.shape != values.shape:
        raise ValueError(
            f"Attributions have the shape {attributions.shape}, the values {values.shape}."
        )
    image = draw_spectrogram(axes, values, cmap="gray_r", **options)
    largest = attributions.max()
    shares = attributions / largest if largest > 0 else np.zeros(values.shape)
    placement = _placement(values, options.get("frame_seconds"))
    axes.imshow(shares.T, cmap="viridis", vmin=0, vmax=1, alpha=0.85 * shares.T, **placement)
    return image


def _placement(values: np.ndarray, frame_seconds: float | None) -> dict:
    frames, bins = values.shape
    return {
        "origin": "lower",
        "aspect": "auto",
        "interpolation": "nearest",
        "extent": (0, frames * (frame_seconds or 1), -0.5, bins - 0.5),
    }


def _set_frequency_ticks(axes: Axes, frequencies_hz: np.ndarray, n_bins: int) -> None:
    """Label octaves from the top down, leaving out those that would touch the one above."""
    if len(frequencies_hz) < n_bins:
        raise ValueError(f"{len(frequencies_hz)} frequencies do not fit {n_bins} bins.")
    frequencies_hz = frequencies_hz[:n_bins]
    places = np.interp(_TICKS_HZ, frequencies_hz, np.arange(n_bins))
    shown: list[int] = []
    for index in reversed(range(len(_TICKS_HZ))):
        within = frequencies_hz[0] <= _TICKS_HZ[index] <= frequencies_hz[-1]
        if within and (not shown or places[shown[-1]] - places[index] >= n_bins / 14):
            shown.append(index)
    axes.yaxis.set_major_locator(FixedLocator(places[shown]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticklabels([f"{hz / 1000:g}" for hz in _TICKS_HZ[shown]])
