"""Explainers of the libraries shap and lime under the contract of attributors.

Published studies used these explainers; they are here for comparison. Both libraries are imported
when they are needed.
"""

import contextlib
import copy
import io

import numpy as np
import torch
from torch import nn

from autrainer_ext.explanation.segments import Segmenter, quickshift
from autrainer_ext.serving.forward import ForwardPass

from .contract import (
    Baseline,
    attributor,
    baseline_like,
    completeness_gap,
    forward_attributor,
    one_by_one,
    seeded,
)


@attributor
def deep_shap(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    baseline: Baseline = 0.0,
    tolerance: float = 0.01,
) -> torch.Tensor:
    """DeepExplainer of shap, with an error if its values are not complete.

    DeepExplainer supports convolutions, batch norm, ReLU modules and pooling. With a global
    response norm (CP-Mobile), layer norm, functional or repeated ReLUs its values, and thus their
    sum, are wrong. A check that reports the size of the error replaces that of shap.

    Args:
        model: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        baseline: Value of silent features, or several baselines, shape
            (B, channels, frames, mel_bins).
        tolerance: Largest accepted completeness gap, relative to the difference that the values
            should sum to; infinite to accept any values.

    Raises:
        ValueError: If the gap of a sample is larger, or shap does not support a layer.

    Source:
        Lundberg and Lee (2017), A unified approach to interpreting model predictions, section
        4.2; shap issues 3438 and 4251 for layer norms.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> maps = deep_shap(model, features, target, baseline=-1.0)
        >>> maps.numpy().round(3).tolist()
        [[[[2.0, 4.0]]]]
    """
    from shap import DeepExplainer

    def attribute(model: nn.Module, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        try:
            # a copy: when it fails, DeepExplainer leaves its hooks on the network
            explainer = DeepExplainer(copy.deepcopy(model), _background(sample, baseline))
            values = explainer.shap_values(sample, check_additivity=False)
        except RuntimeError as error:
            raise ValueError(f"DeepExplainer cannot explain this network: {error}") from error
        values = torch.from_numpy(values[..., label.item()]).to(sample)
        gap = completeness_gap(model, sample, label, values, baseline=_background(sample, baseline))
        expected = values.double().sum().cpu() - gap[0]
        if gap.abs()[0] > tolerance * expected.abs():
            raise ValueError(
                f"The values of DeepExplainer add up to {float(values.sum()):.4g} instead of "
                f"{float(expected):.4g}: it does not support a layer of this network."
            )
        return values

    return one_by_one(attribute, model, features, target)


@attributor
def gradient_shap_library(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    baseline: Baseline = 0.0,
    n_samples: int = 64,
    seed: int = 0,
) -> torch.Tensor:
    """GradientExplainer of shap for the output of the target.

    Args:
        model: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        baseline: Value of silent features, or several baselines, shape
            (B, channels, frames, mel_bins).
        n_samples: Number of points per sample.
        seed: Seed of the points.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> maps = gradient_shap_library(model, features, target, baseline=-1.0)
        >>> maps.numpy().round(3).tolist()
        [[[[2.0, 4.0]]]]
    """
    from shap import GradientExplainer

    def attribute(model: nn.Module, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        explained = _Target(model, label)  # all classes would multiply the time
        explainer = GradientExplainer(explained, _background(sample, baseline), batch_size=16)
        with seeded(seed):
            values = explainer.shap_values(sample, nsamples=n_samples, rseed=seed)
        return torch.from_numpy(values.reshape(sample.shape)).to(sample)

    return one_by_one(attribute, model, features, target)


@forward_attributor
def lime_image(
    forward: ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = quickshift,
    baseline: float = 0.0,
    n_samples: int = 1000,
    batch_size: int = 10,
    fill_with_means: bool = False,
    seed: int = 0,
) -> torch.Tensor:
    """Image explainer of lime for the probability of the target, with features as a grey image.

    Args:
        forward: See the contract, as for `features` and `target`.
        features: Shape (N, 1, frames, mel_bins).
        target: Shape (N,).
        segmenter: Function that divides a clip into segments.
        baseline: Value of silent features, a number.
        n_samples: Number of masked copies per sample.
        batch_size: Number of masked copies per forward pass.
        fill_with_means: Whether removed segments are replaced by their means, the default of lime,
            instead of the baseline.
        seed: Seed of the masks.

    Raises:
        ValueError: If there is more than one channel.

    Example:
        >>> from autrainer_ext.explanation.segments import bands
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> features, target = torch.ones(1, 1, 4, 16), torch.tensor([0])
        >>> lime_image(model, features, target, segmenter=bands, n_samples=20).unique().numel()
        8
    """
    from lime.lime_image import LimeImageExplainer

    if features.shape[1] != 1:
        raise ValueError(f"lime's image explainer needs 1 channel, got {features.shape[1]}.")

    def attribute(forward: ForwardPass, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        segments = segmenter(sample[0].cpu())

        def probabilities(images: np.ndarray) -> np.ndarray:
            grey = torch.from_numpy(images[..., 0]).to(sample)[:, None]
            return forward(grey).double().softmax(dim=1).numpy()

        with contextlib.redirect_stderr(io.StringIO()):  # hides a progress bar per sample
            explanation = LimeImageExplainer(random_state=seed).explain_instance(
                sample[0, 0].cpu().double().numpy(),
                probabilities,
                labels=(label.item(),),
                top_labels=None,
                hide_color=None if fill_with_means else baseline,
                num_samples=n_samples,
                batch_size=batch_size,
                segmentation_fn=lambda image: segments.numpy(),
                random_seed=seed,
            )
        weights = torch.zeros(int(segments.max()) + 1, dtype=torch.float64)
        for segment, weight in explanation.local_exp[label.item()]:
            weights[segment] = weight
        return weights[segments].to(sample)[None, None]

    return one_by_one(attribute, forward, features, target)


class _Target(nn.Module):
    """Model reduced to the output for one class, shape (N, 1)."""

    def __init__(self, model: nn.Module, label: torch.Tensor) -> None:
        super().__init__()
        self.model = model
        self.label = label.item()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.model(features)[:, self.label, None]


def _background(sample: torch.Tensor, baseline: Baseline) -> torch.Tensor:
    if isinstance(baseline, torch.Tensor) and baseline.ndim == 4:
        return baseline.to(sample)
    return baseline_like(sample, baseline).clone()
