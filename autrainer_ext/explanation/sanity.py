"""Sanity check: do attributions change when the layers of a network are randomised?"""

import copy
from collections.abc import Iterator

import torch
from scipy.stats import spearmanr
from torch import nn

from autrainer_ext.serving.forward import ForwardPass

from .attributors.contract import Attributor, layers
from .masks import explains_nothing


def randomised(model: nn.Module, *, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """Randomise one layer after the other, from the output to the input.

    Weights of convolutions and linear layers are replaced by Gaussian numbers of the same mean and
    standard deviation. Biases and norms are kept.

    Args:
        model: Trained network; it is not modified.
        seed: Seed of the random weights.

    Yields:
        Name of the layer randomised last, and a network in which this layer and all later ones, in
        order of registration, are randomised. The network is the same object every time.

    Source:
        Adebayo et al. (2018), Sanity checks for saliency maps, section 3.1 (cascading).

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        >>> [name for name, _ in randomised(model)]
        ['2', '0']
    """
    copied = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    weighted = [
        (name, module)
        for name, module in layers(copied)
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
    ]
    for name, layer in reversed(weighted):
        weight = layer.weight.detach()
        drawn = torch.randn(weight.shape, generator=generator).to(weight)
        with torch.no_grad():
            layer.weight.copy_(weight.mean() + weight.std(unbiased=False) * drawn)
        yield name, copied


def cascade(
    explainer: Attributor,
    model: nn.Module | ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """Rank correlation of attributions before and after randomising layers.

    Args:
        explainer: Attributor.
        model: Trained network, or a `ForwardPass` of one.
        features: Features of one clip, shape (1, channels, frames, mel_bins).
        target: Class that is explained, shape (1,).
        seed: Seed of the random weights.

    Returns:
        Spearman correlation by name of the layer randomised last. 1 means that the attributions do
        not depend on the weights; nan that one of them explains nothing.

    Example:
        >>> from autrainer_ext.explanation.attributors import random
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> cascade(random, model, torch.zeros(1, 1, 2, 2), torch.tensor([0]))
        {'1': 1.0}
    """
    original = explainer(model, features, target)
    network = model.network if isinstance(model, ForwardPass) else model
    correlations = {}
    for name, randomised_model in randomised(network, seed=seed):
        changed = explainer(randomised_model, features, target)
        if bool(explains_nothing(original)) or bool(explains_nothing(changed)):
            correlations[name] = float("nan")
        else:
            correlations[name] = float(spearmanr(original.flatten(), changed.flatten()).statistic)
    return correlations
