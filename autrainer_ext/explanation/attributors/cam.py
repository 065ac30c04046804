"""Grad-CAM: attributions from the maps of a layer and their gradients."""

from collections.abc import Callable

import torch
from captum.attr import LayerGradCam
from torch import nn

from autrainer_ext.errors import unknown_name

from .contract import attributor, layers

_COARSEST = 8  # frames or mel bins that one position of a localising layer may stand for


@attributor
def grad_cam(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    layer: str | None = None,
    rectify: bool = True,
) -> torch.Tensor:
    """Sum of the maps of a layer, weighted with their average gradients.

    The sum is resized bilinearly to the size of the features. Networks may swap time and frequency
    internally; the time axis of the layer is detected by changing the first frames of the input.

    Args:
        model: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        layer: Name of the layer as in `model.named_modules()`. Default: `localising_layer`.
        rectify: Whether negative values, which are evidence against the target, are set to zero.

    Returns:
        Attributions, equal in all channels, shape of `features`; not negative if `rectify`.

    Raises:
        ValueError: If the layer does not exist or has no maps.

    Source:
        Selvaraju et al. (2017), Grad-CAM: visual explanations from deep networks via
        gradient-based localization, equations 1 and 2.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(16, 3))
        >>> grad_cam(model, torch.ones(1, 1, 4, 2), torch.tensor([0])).shape
        torch.Size([1, 1, 4, 2])
    """
    if layer is None:
        layer = localising_layer(model, features)
    elif layer not in (known := dict(layers(model))):
        raise unknown_name("layer", layer, filter(None, known), where="the model")
    explained = LayerGradCam(model, model.get_submodule(layer))
    maps = explained.attribute(features.requires_grad_(), target, relu_attributions=rectify)
    if maps.ndim != 4:
        raise ValueError(f"Layer '{layer}' has no maps: shape {tuple(maps.shape)}.")
    if _is_frequency_first(model, layer, features[:1]):
        maps = maps.transpose(2, 3)
    size = features.shape[-2:]
    maps = nn.functional.interpolate(maps, size, mode="bilinear", align_corners=False)
    return maps.expand_as(features)


def localising_layer(model: nn.Module, features: torch.Tensor) -> str:
    """Find the deepest layer whose maps still resolve time and frequency.

    Deep layers represent the class better, but strides and global norms remove position: the last
    stage of CP-Mobile localises no better than chance. The last layer in order of evaluation is
    chosen whose maps have at least one position per 8 frames and 8 mel bins.

    Args:
        model: Network in evaluation mode.
        features: Shape (N, channels, frames, mel_bins); only their size is relevant.

    Returns:
        Name of the layer as in `model.named_modules()`.

    Raises:
        ValueError: If no layer has such maps.

    Example:
        >>> strided = [nn.Conv2d(1, 1 + k, 3, stride=2, padding=1) for k in (1,)]
        >>> localising_layer(nn.Sequential(*strided, nn.Flatten()), torch.zeros(1, 1, 16, 16))
        '0'
    """
    frames, mel_bins = features.shape[-2:]
    needed = sorted((-(-frames // _COARSEST), -(-mel_bins // _COARSEST)))
    found = []

    def record(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: tuple, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[1] > 1:
                sizes = sorted(output.shape[-2:])
                if sizes[0] >= needed[0] and sizes[1] >= needed[1]:
                    found.append(name)

        return hook

    inner = [(name, module) for name, module in layers(model) if name]
    hooks = [module.register_forward_hook(record(name)) for name, module in inner]
    try:
        with torch.no_grad():
            model(features[:1])
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise ValueError(
            f"No layer of {type(model).__name__} has maps of at least {needed[0]} x {needed[1]} "
            "positions. Set the layer."
        )
    return found[-1]


def _is_frequency_first(model: nn.Module, layer: str, sample: torch.Tensor) -> bool:
    """Whether a change of some frames shows along the last axis of the maps of a layer."""
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(sample.shape, generator=generator).to(sample)
    probe = sample.detach().mean() + sample.detach().std(unbiased=False).clamp(min=1) * probe
    changed = probe.clone()
    changed[..., : -(-sample.shape[-2] // 4), :] = probe.mean()
    kept = []
    hook = model.get_submodule(layer).register_forward_hook(lambda *args: kept.append(args[2]))
    try:
        with torch.no_grad():
            model(torch.cat([probe, changed]))
    finally:
        hook.remove()
    change = (kept[0][1] - kept[0][0]).abs().mean(dim=0)
    return _unevenness(change.mean(dim=0)) > _unevenness(change.mean(dim=1))


def _unevenness(profile: torch.Tensor) -> float:
    return float(profile.std(unbiased=False) / profile.mean().clamp(min=1e-12))
