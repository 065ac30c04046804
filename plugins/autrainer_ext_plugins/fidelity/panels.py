"""Figure of a clip, its attributions and the part that a mask keeps."""

from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.explanation.attributors.registry import unit_of
from autrainer_ext.explanation.evaluation import Explained
from autrainer_ext.explanation.masks import apply_mask
from autrainer_ext.plotting.page import page_size, panel_grid, set_title
from autrainer_ext.plotting.spectrogram import draw_attributions, draw_spectrogram
from autrainer_ext.serving.front_end import FrontEnd


def draw_panel(
    features: torch.Tensor,
    explained: Explained,
    *,
    explainer: str,
    mask: str,
    baseline: float | torch.Tensor,
    heading: str,
    front_end: FrontEnd | None,
    start_frame: int = 0,
) -> Figure:
    """Draw features, attributions, kept part and, if known, standard errors side by side.

    All are averaged over channels.

    Args:
        features: Features of the clip, shape (1, channels, frames, mel_bins).
        explained: Explanations of the clip, with attributions and masks.
        explainer: Name of the explainer to draw.
        mask: Name of the mask whose kept part is drawn.
        baseline: Value of silent features.
        heading: File and predicted class, for the title.
        front_end: Front end for axes in seconds and Hz, or None for frames and bins.
        start_frame: Number of frames of the recording before the first one of the clip.

    Returns:
        The figure; the caller saves and closes it.
    """
    kept, _ = apply_mask(features, explained.masks[explainer][mask][None], baseline)
    scales: dict[str, Any] = {} if front_end is None else dict(front_end.axes)
    scales["start_frame"] = start_frame
    values, part = (one[0].mean(dim=0).numpy() for one in (features, kept))
    limits = float(values.min()), float(values.max())
    errors = explained.errors.get(explainer)
    n_axes = 3 if errors is None else 4
    n_rows, n_columns = panel_grid(n_axes, least_mm=60)
    figure, panels = plt.subplots(
        n_rows,
        n_columns,
        figsize=page_size(share=0.36 * n_rows / n_columns, lines=4 + 2 * n_rows),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    axes = panels.ravel()
    unit = unit_of(explainer)
    attributions = explained.attributions[explainer].mean(dim=0).numpy()
    images = {
        "input": (draw_spectrogram(axes[0], values, limits=limits, **scales), "features"),
        f"{explainer}: for (red), against (blue)": (
            draw_attributions(axes[1], attributions, **scales),
            unit,
        ),
        f"kept by the mask {mask}": (
            draw_spectrogram(axes[2], part, limits=limits, **scales),
            "features",
        ),
    }
    if errors is not None:
        drawn = draw_spectrogram(axes[3], errors.mean(dim=0).numpy(), cmap="Greys", **scales)
        images["standard error"] = (drawn, unit)
    for axis, (title, (image, label)) in zip(axes, images.items(), strict=True):
        axis.set_title(title)
        axis.label_outer()
        figure.colorbar(image, ax=axis, label=label)
    set_title(figure, f"{heading}, probability {explained.confidence:.2f}")
    return figure
