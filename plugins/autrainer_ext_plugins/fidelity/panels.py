"""A clip beside its explanation and what that keeps of it."""

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autrainer_ext.explanation.evaluation import Explained, ExplanationSettings
from autrainer_ext.explanation.masks import apply_mask, make_masks
from autrainer_ext.plotting.spectrogram import draw_attributions, draw_spectrogram
from autrainer_ext.serving.front_end import FrontEnd


def draw_panel(
    features: torch.Tensor,
    explained: Explained,
    name: str,
    mask: str,
    protocol: ExplanationSettings,
    front_end: FrontEnd | None,
) -> Figure:
    """Draw input, attributions and kept part side by side, averaged over channels.

    Args:
        features: Features of the clip, shape (1, channels, frames, mel_bins).
        explained: Its maps.
        name: Explainer that is drawn.
        mask: Mask that makes the kept part.
        protocol: How masks are made and what silence is.
        front_end: Spectrogram that tells seconds and Hz, or None to count frames and bins.

    Returns:
        The figure, to be saved and closed.
    """
    attributions = explained.attributions[name]
    published = protocol.source_compatible
    masks = make_masks(attributions[None], [mask], source_compatible=published)
    kept, _ = apply_mask(features, masks[mask], protocol.baseline)
    scales = {} if front_end is None else front_end.axes
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
    for axis, image, title in zip(
        axes, images, ["input", name, f"kept by the mask {mask}"], strict=True
    ):
        axis.set_title(title)
        axis.label_outer()
        figure.colorbar(image, ax=axis)
    return figure
