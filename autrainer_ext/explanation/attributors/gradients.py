"""Attributions from the gradient of the target's output with respect to the features."""

import torch
from captum.attr import GradientShap, InputXGradient, IntegratedGradients, NoiseTunnel, Saliency
from torch import nn

from .contract import Baseline, attributor, baseline_like, one_by_one, seeded

_STEPS_AT_ONCE = 16  # larger batches are no faster on a CPU and need more memory


@attributor
def saliency(
    model: nn.Module, features: torch.Tensor, target: torch.Tensor, *, absolute: bool = False
) -> torch.Tensor:
    """Gradient of the target's output, signed unless `absolute`.

    Source:
        Simonyan, Vedaldi and Zisserman (2014), Deep inside convolutional networks, section 3.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> saliency(model, features, target).tolist()
        [[[[1.0, 2.0]]]]
    """
    return Saliency(model).attribute(features.requires_grad_(), target, abs=absolute)


@attributor
def input_x_gradient(
    model: nn.Module, features: torch.Tensor, target: torch.Tensor, *, baseline: Baseline = 0.0
) -> torch.Tensor:
    """Gradient times difference from the baseline; exact for a linear model.

    Source:
        Shrikumar et al. (2016), Not just a black box, section 3, with baseline 0.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> input_x_gradient(model, features, target, baseline=-1.0).tolist()
        [[[[2.0, 4.0]]]]
    """
    silence = baseline_like(features, baseline)
    # captum multiplies by the input: shift the baseline to 0
    shifted = InputXGradient(lambda distance: model(silence + distance))
    return shifted.attribute((features - silence).requires_grad_(), target)


@attributor
def smooth_grad(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    n_samples: int = 16,
    noise: float = 0.1,
    seed: int = 0,
) -> torch.Tensor:
    """Signed gradient averaged over noisy copies of the features.

    Args:
        model: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        n_samples: Number of noisy copies per sample.
        noise: Standard deviation of the noise relative to the range of each sample.
        seed: Seed of the noise.

    Source:
        Smilkov et al. (2017), SmoothGrad: removing noise by adding noise, section 2.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> smooth_grad(model, features, target).tolist()
        [[[[1.0, 2.0]]]]
    """

    def attribute(model: nn.Module, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        with seeded(seed):
            return NoiseTunnel(Saliency(model)).attribute(
                sample,
                nt_type="smoothgrad",
                nt_samples=n_samples,
                nt_samples_batch_size=min(n_samples, _STEPS_AT_ONCE),
                stdevs=noise * float(sample.max() - sample.min()),
                target=label,
                abs=False,
            )

    return one_by_one(attribute, model, features, target)


@attributor
def integrated_gradients(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    baseline: Baseline = 0.0,
    n_steps: int = 128,
) -> torch.Tensor:
    """Average gradient on the line from the baseline, times the difference from the baseline.

    The attributions sum to f(features) - f(baseline), up to the error of the integral
    (Gauss-Legendre with `n_steps` points), which is their `completeness_gap`.

    Source:
        Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks, equation 1.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> maps = integrated_gradients(model, features, target, baseline=-1.0)
        >>> maps.numpy().round(3).tolist()
        [[[[2.0, 4.0]]]]
    """

    def attribute(model: nn.Module, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return IntegratedGradients(model).attribute(
            sample,
            baseline_like(sample, baseline),
            label,
            n_steps=n_steps,
            internal_batch_size=_STEPS_AT_ONCE,
        )

    return one_by_one(attribute, model, features, target)


@attributor
def gradient_shap(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    baseline: Baseline = 0.0,
    n_samples: int = 64,
    seed: int = 0,
) -> torch.Tensor:
    """Expected gradients at random points on lines from random baselines.

    Args:
        model: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        baseline: Value of silent features, or several baselines, shape
            (B, channels, frames, mel_bins), of which one is drawn for every point.
        n_samples: Number of points per sample; the completeness gap falls with its square root.
        seed: Seed of the points.

    Source:
        Erion et al. (2021), Improving performance of deep learning models with axiomatic
        attribution priors and expected gradients, equation 3.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> maps = gradient_shap(model, features, target, baseline=-1.0)
        >>> maps.numpy().round(3).tolist()
        [[[[2.0, 4.0]]]]
    """

    def attribute(model: nn.Module, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        if isinstance(baseline, torch.Tensor) and baseline.ndim == 4:
            references = baseline.to(sample)
        else:
            references = baseline_like(sample, baseline)
        with seeded(seed):
            parts = [
                count
                * GradientShap(model).attribute(sample, references, n_samples=count, target=label)
                for count in _chunks(n_samples)
            ]
        return sum(parts, torch.zeros_like(sample)) / n_samples

    return one_by_one(attribute, model, features, target)


def _chunks(n_samples: int) -> list[int]:
    full, rest = divmod(n_samples, _STEPS_AT_ONCE)
    return [_STEPS_AT_ONCE] * full + [rest] * (rest > 0)
