"""Figure of a clip, its attributions and the part that a mask keeps."""

from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.explanation.evaluation import Explained
from autrainer_ext.explanation.masks import apply_mask
from autrainer_ext.plotting.spectrogram import draw_attributions, draw_spectrogram
from autrainer_ext.serving.front_end import FrontEnd


def draw_panel(
    features: torch.Tensor,
    explained: Explained,
    *,
    explainer: str,
    mask: str,
    baseline: float | torch.Tensor,
    front_end: FrontEnd | None,
) -> Figure:
    """Draw features, attributions and kept part side by side, averaged over channels.

    Args:
        features: Features of the clip, shape (1, channels, frames, mel_bins).
        explained: Explanations of the clip, with attributions and masks.
        explainer: Name of the explainer to draw.
        mask: Name of the mask whose kept part is drawn.
        baseline: Value of silent features.
        front_end: Front end for axes in seconds and Hz, or None for frames and bins.

    Returns:
        The figure; the caller saves and closes it.
    """
    attributions = explained.attributions[explainer]
    kept, _ = apply_mask(features, explained.masks[explainer][mask][None], baseline)
    scales: dict[str, Any] = {} if front_end is None else front_end.axes
    values, part = (one[0].mean(dim=0).numpy() for one in (features, kept))
    limits = float(values.min()), float(values.max())
    figure, axes = plt.subplots(
        1, 3, figsize=(12, 3.4), sharex=True, sharey=True, layout="constrained"
    )
    images = [
        draw_spectrogram(axes[0], values, limits=limits, **scales),
        draw_attributions(axes[1], attributions.mean(dim=0).numpy(), **scales),
        draw_spectrogram(axes[2], part, limits=limits, **scales),
    ]
    titles = ["input", explainer, f"kept by the mask {mask}"]
    for axis, image, title in zip(axes, images, titles, strict=True):
        axis.set_title(title)
        axis.label_outer()
        figure.colorbar(image, ax=axis)
    return figure
