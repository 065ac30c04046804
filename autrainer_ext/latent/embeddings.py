"""Embeddings: outputs of the layers of a model."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from autrainer_ext.errors import unknown_name
from autrainer_ext.serving.forward import ForwardPass


def embed(
    model: nn.Module,
    layers: Sequence[str],
    batches: Iterable[torch.Tensor],
    *,
    max_values: int = 4096,
    device: str = "auto",
    n_expected: int | None = None,
) -> dict[str, np.ndarray]:
    """Compute the outputs of several layers in one pass over the data.

    The model runs in evaluation mode without gradients; it is not modified.

    Args:
        model: Network.
        layers: Names of modules, as in `named_modules`.
        batches: Batches of features, each of shape (N, ...).
        max_values: Largest length of an embedding, at least 1. Default: 4096. Outputs of shape
            (N, C, ...) are flattened. If they are too long, their longest axis after C is halved by
            averaging neighbours until they fit.
        device: Device of the network; see `autrainer_ext.serving.forward.choose_device`.
        n_expected: Number of samples, or None for many.

    Returns:
        Embeddings by layer, float32, shape (samples, values).

    Raises:
        ValueError: If the device or a layer does not exist, or a layer is not used, does not
            return a tensor with one row per sample, or has more than `max_values` channels.
    """
    modules = dict(model.named_modules())
    for layer in layers:
        if layer not in modules or not layer:
            outer = [name for name in modules if name and name.count(".") < 2]
            raise unknown_name("layer", layer, outer)
    forward = ForwardPass(_Layers(model, layers), device=device, n_expected=n_expected, fuse=False)
    parts: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    for outputs in forward.outputs(batches):
        for layer, output in zip(layers, outputs, strict=True):
            parts[layer].append(_vectors(output, layer, max_values).numpy())
    return {layer: np.concatenate(arrays) for layer, arrays in parts.items()}


class _Layers(nn.Module):
    """Network that returns the outputs of inner layers."""

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.layers = layers

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        seen: dict[str, torch.Tensor] = {}
        hooks = [
            self.model.get_submodule(layer).register_forward_hook(
                lambda _module, _inputs, output, layer=layer: seen.update({layer: output})
            )
            for layer in self.layers
        ]
        try:
            self.model(features)
        finally:
            for hook in hooks:
                hook.remove()
        for layer in self.layers:
            if not isinstance(seen.get(layer), torch.Tensor):
                raise ValueError(f"Layer '{layer}' is not used or returns no tensor.")
            if seen[layer].ndim < 2:
                shape = tuple(seen[layer].shape)
                raise ValueError(
                    f"Layer '{layer}' returns shape {shape}, expected a row per sample."
                )
        return tuple(seen[layer] for layer in self.layers)


def subsample(n_samples: int, n_kept: int, seed: int) -> np.ndarray:
    """Draw a random part of the samples.

    Args:
        n_samples: Number of samples.
        n_kept: Largest number of samples to keep.
        seed: Seed of the draw.

    Returns:
        Positions of the kept samples in ascending order; all if there are at most `n_kept`.

    Example:
        >>> subsample(3, 5, seed=0)
        array([0, 1, 2])
        >>> len(subsample(1000, 5, seed=0))
        5
    """
    if n_samples <= n_kept:
        return np.arange(n_samples)
    return np.sort(np.random.default_rng(seed).choice(n_samples, n_kept, replace=False))


def _vectors(output: torch.Tensor, layer: str, max_values: int) -> torch.Tensor:
    """Flatten an output to at most `max_values` values per sample, shape (N, values), float32."""
    while output[0].numel() > max_values:
        longest = max(range(2, output.ndim), key=lambda axis: output.shape[axis], default=None)
        if longest is None or output.shape[longest] == 1:
            raise ValueError(
                f"Layer '{layer}' has {output.shape[1]} channels, more than the {max_values} "
                "values an embedding may have."
            )
        halves = output.transpose(longest, -1).split(2, dim=-1)
        output = torch.stack([half.mean(dim=-1) for half in halves], dim=-1).transpose(longest, -1)
    return output.flatten(1).float()


def outer_layers(model: nn.Module) -> list[str]:
    """Names of the outer layers of a model, in order of registration.

    These are the children of the model. A child that is an `nn.Sequential` of composite modules,
    such as stages of blocks, is replaced by its own children.

    Args:
        model: Network.

    Returns:
        Names of modules, as in `named_modules`.

    Example:
        >>> stages = [nn.Sequential(nn.Linear(2, 2)) for _ in range(2)]
        >>> outer_layers(nn.Sequential(nn.Sequential(*stages), nn.Linear(2, 3)))
        ['0.0', '0.1', '1']
    """
    names: list[str] = []
    for name, child in model.named_children():
        inner = dict(child.named_children())
        has_stages = isinstance(child, nn.Sequential) and all(
            len(list(stage.children())) for stage in inner.values()
        )
        names += [f"{name}.{stage}" for stage in inner] if has_stages and inner else [name]
    return names
