"""Explainer `frame_saliency`: how strongly the class depends on every frame."""

import torch
from torch import nn

from autrainer_ext.explanation.attributors.contract import attributor
from autrainer_ext.explanation.attributors.registry import EXPLAINERS
from autrainer_ext_plugins.fidelity import Fidelity


@attributor
def frame_saliency(model: nn.Module, features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Average the absolute gradient of the target's logit over the bins of a frame.

    Args:
        model: Network that maps features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class index per sample, shape (N,).

    Returns:
        Attributions, shape of `features`, equal within a frame.
    """
    features.requires_grad_()
    logits = model(features).gather(1, target[:, None]).sum()
    (gradient,) = torch.autograd.grad(logits, features)
    return gradient.abs().mean(dim=3, keepdim=True).expand_as(features)


class FrameFidelity(Fidelity):
    """The plugin `Fidelity` with a separate folder, to keep the results of `Fidelity`."""

    folder = "frame_fidelity"


EXPLAINERS["frame_saliency"] = frame_saliency  # the name configurations use
