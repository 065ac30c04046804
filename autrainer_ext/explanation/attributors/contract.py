"""Contract of all attributors.

An attributor is a function (model, features, target, *, settings) -> attributions:

- `model` maps features (N, channels, frames, mel_bins) to logits (N, C): a network, or a
  `ForwardPass` of one, which is faster and may run on a GPU. The logit of the target is explained;
  to explain another quantity, such as a probability, wrap the network.
- `target` holds one class index per sample, shape (N,), int64.
- Attributions have the shape of the features; positive values support the target.
- The model is run in evaluation mode. Afterwards all modules have their previous modes; parameters
  and their gradients are unchanged.
- Every sample is explained independently; the other samples of a batch affect rounding only.
  Methods with random numbers draw the same numbers for every sample, from `seed`.
- `baseline` is the value of silent features: a number, or a tensor of the shape of one sample. The
  default 0 is silence only if the features are scaled accordingly.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from autrainer_ext.serving.forward import ForwardPass, device_of, forward_pass

Attributor = Callable[[nn.Module | ForwardPass, torch.Tensor, torch.Tensor], torch.Tensor]
Baseline = float | torch.Tensor


def attributor(attribute: Callable) -> Callable:
    """Make a function of (network, features, target, **settings) fulfil the contract.

    Args:
        attribute: Function to decorate, which uses gradients.

    Returns:
        The function with checks of its arguments, in evaluation mode and with gradients enabled.
        It raises a ValueError if features or target have a wrong shape or type.

    Example:
        >>> double = attributor(lambda model, features, target: 2 * features)
        >>> double(nn.Identity(), torch.ones(1, 1, 1, 2), torch.tensor([0])).tolist()
        [[[[2.0, 2.0]]]]
    """

    @functools.wraps(attribute)
    def explain(
        model: nn.Module | ForwardPass,
        features: torch.Tensor,
        target: torch.Tensor,
        **settings: object,
    ) -> torch.Tensor:
        network = model.network if isinstance(model, ForwardPass) else model
        with evaluating(network), torch.inference_mode(False), torch.enable_grad():
            device = device_of(network, features)
            return _apply(attribute, network, device, features, target, settings)

    return explain


def forward_attributor(attribute: Callable) -> Callable:
    """Make a function of (forward, features, target, **settings) fulfil the contract.

    Args:
        attribute: Function to decorate, which uses outputs of the `ForwardPass` only.

    Returns:
        The function with the checks of `attributor`.

    Example:
        >>> logits = forward_attributor(lambda forward, features, target: forward(features))
        >>> logits(nn.Identity(), torch.ones(1, 1, 1, 2), torch.tensor([0])).tolist()
        [[[[1.0, 1.0]]]]
    """

    @functools.wraps(attribute)
    def explain(
        model: nn.Module | ForwardPass,
        features: torch.Tensor,
        target: torch.Tensor,
        **settings: object,
    ) -> torch.Tensor:
        forward = forward_pass(model, features)
        return _apply(attribute, forward, forward.device, features, target, settings)

    return explain


def _apply(
    attribute: Callable,
    model: nn.Module | ForwardPass,
    device: torch.device,
    features: torch.Tensor,
    target: torch.Tensor,
    settings: Mapping[str, object],
) -> torch.Tensor:
    """Attributions, computed on a device and returned on that of the features."""
    _check(features, target)
    if not len(features):
        return features.detach().clone()
    placed = features.detach().clone().to(device)  # inference tensors have no gradient
    return attribute(model, placed, target.to(device), **settings).detach().to(features.device)


def one_by_one(
    attribute: Callable,
    model: nn.Module | ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
) -> torch.Tensor:
    """Apply an attributor to every sample as a batch of one, and concatenate the results.

    Args:
        attribute: Function of (model, features, target).
        model: Model that is explained.
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.

    Returns:
        Attributions, shape of `features`.

    Example:
        >>> sizes = []
        >>> def attribute(model, features, target):
        ...     sizes.append(len(features))
        ...     return features
        >>> features, target = torch.ones(2, 1, 1, 1), torch.tensor([0, 1])
        >>> maps = one_by_one(attribute, nn.Identity(), features, target)
        >>> sizes
        [1, 1]
    """
    parts = zip(features.split(1), target.split(1), strict=True)
    return torch.cat([attribute(model, sample, label) for sample, label in parts])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation mode within a block and restore the mode of every module.

    Example:
        >>> model = nn.Dropout().train()
        >>> with evaluating(model):
        ...     model.training
        False
        >>> model.training
        True
    """
    modes = [(module, module.training) for _, module in layers(model)]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def layers(model: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Iterate over names and modules as `model.named_modules()` does.

    `named_modules` hashes every module, which is slow for models of the host: their hash is that
    of a YAML description.

    Args:
        model: Network.
        name: Name of the network itself.

    Yields:
        Name and module, in order of registration.

    Example:
        >>> [name for name, _ in layers(nn.Sequential(nn.Flatten(), nn.Linear(2, 2)))]
        ['', '0', '1']
    """
    yield name, model
    for child, module in model.named_children():
        yield from layers(module, f"{name}.{child}" if name else child)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the random numbers of torch and numpy within a block and restore both states.

    Example:
        >>> with seeded(1):
        ...     first = torch.rand(2)
        >>> with seeded(1):
        ...     torch.equal(first, torch.rand(2))
        True
    """
    state = np.random.get_state()  # noqa: NPY002 - captum and lime draw from it
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


def baseline_like(features: torch.Tensor, baseline: Baseline) -> torch.Tensor:
    """Expand a baseline to a tensor of the shape of `features`.

    Args:
        features: Shape (N, channels, frames, mel_bins).
        baseline: A number, or a tensor of the shape of one sample.

    Returns:
        Tensor of the shape and type of `features`.

    Raises:
        ValueError: If a tensor does not have the shape of one sample.

    Example:
        >>> baseline_like(torch.zeros(1, 1, 1, 2), -100.0).tolist()
        [[[[-100.0, -100.0]]]]
    """
    values = torch.as_tensor(baseline, dtype=features.dtype, device=features.device)
    if values.ndim and values.shape[-3:] != features.shape[1:]:
        raise ValueError(
            f"Baseline must be a number or have the shape {tuple(features.shape[1:])} of one "
            f"sample, got {tuple(values.shape)}."
        )
    return values.expand_as(features)


def target_scores(
    model: nn.Module | ForwardPass, features: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Compute the output of the model for the target of every sample.

    Args:
        model: Network from features to logits, or a `ForwardPass` of one.
        features: Shape (N, channels, frames, mel_bins).
        target: Class of every sample, shape (N,), int64.

    Returns:
        Shape (N,), on the CPU.

    Example:
        >>> target_scores(nn.Flatten(), torch.tensor([[[[3.0, 5.0]]]]), torch.tensor([1]))
        tensor([5.])
    """
    return forward_pass(model, features)(features).gather(1, target.cpu()[:, None])[:, 0]


def completeness_gap(
    model: nn.Module | ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    attributions: torch.Tensor,
    *,
    baseline: Baseline = 0.0,
) -> torch.Tensor:
    """Difference between the sum of attributions and the sum required by completeness.

    gap = sum(attributions) - (f(features) - f(baseline)), where f is the output for the target. The
    gap of exact Shapley values and integrated gradients is zero. It is also defined for methods
    that are not complete.

    Args:
        model: Model that was explained.
        features: Shape (N, channels, frames, mel_bins).
        target: Class of every sample, shape (N,).
        attributions: Shape of `features`.
        baseline: Value of silent features, as given to the attributor. The scores of several
            baselines, shape (B, channels, frames, mel_bins), are averaged.

    Returns:
        Shape (N,), in the unit of the model's output, float64, on the CPU.

    Example:
        >>> features, target = torch.tensor([[[[3.0, 5.0]]]]), torch.tensor([1])
        >>> completeness_gap(nn.Flatten(), features, target, torch.zeros_like(features))
        tensor([-5.], dtype=torch.float64)
    """
    _check(features, target)
    forward = forward_pass(model, features)
    difference = target_scores(forward, features, target).double()
    if isinstance(baseline, torch.Tensor) and baseline.ndim == 4:
        difference -= forward(baseline.to(features)).double().mean(0)[target.cpu()]
    else:
        silence = baseline_like(features, baseline)
        difference -= target_scores(forward, silence, target).double()
    return attributions.double().sum(dim=(1, 2, 3)).cpu() - difference


def _check(features: torch.Tensor, target: torch.Tensor) -> None:
    if features.ndim != 4 or not features.is_floating_point():
        raise ValueError(
            "Features must be real numbers of the shape (samples, channels, frames, mel_bins), "
            f"got {features.dtype} of the shape {tuple(features.shape)}."
        )
    if target.shape != features.shape[:1] or target.dtype != torch.int64:
        raise ValueError(
            f"Target must hold one int64 class for each of the {len(features)} samples, got "
            f"{target.dtype} of the shape {tuple(target.shape)}."
        )
    if (target < 0).any():
        raise ValueError(f"Target must not be negative, got {int(target.min())}.")
