"""Attributions from what the model answers when segments are silenced.

    coalitions (K, segments) -> masked features -> answers (K,) -> value of every segment

A coalition says which segments are kept. Coalitions come in pairs, one the complement of the
other: their errors cancel in part, so that fewer of them do. captum draws them one by one and
solves with scikit-learn; here they are drawn, answered and solved together, which is what makes
the difference in time for a network of a millisecond.
"""

import itertools
import math

import torch
from captum.attr import FeatureAblation
from torch import nn

from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.segments import Segmenter, grid, quickshift

from .contract import Baseline, attributor, baseline_like, one_by_one

_SCORES = ("logit", "probability")


@attributor
def lime(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = quickshift,
    baseline: Baseline = 0.0,
    n_samples: int = 256,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    score: str = "probability",
    batch_size: int = 16,
    seed: int = 0,
) -> torch.Tensor:
    """Weights of a linear model of the answer around the clip.

    Ridge regression on which segments are kept, samples weighted with
    exp(-d^2 / (2 w^2)), d the cosine distance of a coalition from the whole clip. Every bin
    carries the weight of its segment, as in lime's image explainer.

    Args:
        model: See the contract, as for `features` and `target`.
        features: Shape (N, channels, frames, mel_bins).
        target: Shape (N,).
        segmenter: Divides a clip into segments.
        baseline: Value of silenced bins.
        n_samples: Coalitions per sample, at least 2; every segment is in each with probability
            one half, and the whole clip is one of them.
        kernel_width: Width w of the kernel.
        ridge: Strength of the penalty on squared weights.
        score: What is explained, "probability" as in the paper, or "logit".
        batch_size: Masked copies the model is given at a time.
        seed: Seed of the coalitions.

    Raises:
        ValueError: If `n_samples` or `score` is none of these.

    Source:
        Ribeiro, Singh and Guestrin (2016), "Why should I trust you?", equation 2; the kernel and
        the penalty are those of lime 0.2.0.1, lime_image.py.
    """
    _check(n_samples, score)

    def attribute(model, sample, label):
        segments = segmenter(sample[0])
        coalitions = _even_coalitions(int(segments.max()) + 1, n_samples, seed)
        answers = _answer(model, sample, label, segments, coalitions, baseline, score, batch_size)
        kept = coalitions.double()
        # cosine similarity with the whole clip; an empty coalition has none
        distance = 1 - kept.mean(dim=1).sqrt()
        weights = torch.exp(-(distance**2) / (2 * kernel_width**2))
        return _spread(_ridge(kept, answers, weights, ridge), segments, sample)

    return one_by_one(attribute, model, features, target)


@attributor
def kernel_shap(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = grid,
    baseline: Baseline = 0.0,
    n_samples: int = 512,
    score: str = "logit",
    batch_size: int = 16,
    seed: int = 0,
) -> torch.Tensor:
    """Shapley values of segments by weighted least squares.

    The values of the segments add up to f(features) - f(silence). The value of a segment is
    spread evenly over its bins and channels, so that the attributions add up to it too. Where
    all coalitions of a clip are no more than `n_samples` they are all asked, and the values are
    exact.

    Args:
        model: See the contract, as for `features` and `target`.
        features: Shape (N, channels, frames, mel_bins).
        target: Shape (N,).
        segmenter: Divides a clip into segments.
        baseline: Value of silenced bins.
        n_samples: Coalitions per sample beside the empty and the whole one, at least 2.
        score: What is explained, "logit" or "probability".
        batch_size: Masked copies the model is given at a time.
        seed: Seed of the coalitions.

    Raises:
        ValueError: If `n_samples` or `score` is none of these.

    Source:
        Lundberg and Lee (2017), A unified approach to interpreting model predictions, theorem
        2; Covert and Lee (2021), Improving KernelSHAP, section 3.3, for the pairs.
    """
    _check(n_samples, score)

    def attribute(model, sample, label):
        segments = segmenter(sample[0])
        n_segments = int(segments.max()) + 1
        coalitions, weights = _shapley_coalitions(n_segments, n_samples, seed)
        ends = torch.tensor([[False], [True]]).expand(2, n_segments)
        asked = torch.cat([ends, coalitions])
        answers = _answer(model, sample, label, segments, asked, baseline, score, batch_size)
        empty, whole = answers[0], answers[1]
        values = _constrained(coalitions.double(), answers[2:] - empty, weights, whole - empty)
        sizes = torch.bincount(segments.flatten(), minlength=n_segments) * sample.shape[1]
        return _spread(values / sizes, segments, sample)

    return one_by_one(attribute, model, features, target)


@attributor
def occlusion(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = grid,
    baseline: Baseline = 0.0,
    batch_size: int = 16,
) -> torch.Tensor:
    """Loss of the target's output when one segment is silenced; every bin carries it.

    Source:
        Zeiler and Fergus (2014), Visualizing and understanding convolutional networks,
        section 4.2.
    """

    def attribute(model, sample, label):
        with torch.no_grad():
            return FeatureAblation(model).attribute(
                sample,
                baseline_like(sample, baseline),
                label,
                feature_mask=segmenter(sample[0]).to(sample.device)[None, None],
                perturbations_per_eval=batch_size,
            )

    return one_by_one(attribute, model, features, target)


def _check(n_samples: int, score: str) -> None:
    if n_samples < 2:
        raise ValueError(f"n_samples must be at least 2, got {n_samples}.")
    if score not in _SCORES:
        raise unknown_name("score", score, _SCORES)


def _even_coalitions(n_segments: int, n_samples: int, seed: int) -> torch.Tensor:
    """Whole clip, then fair coin tosses and their complements; shape (n_samples, n_segments)."""
    generator = torch.Generator().manual_seed(seed)
    half = torch.rand(n_samples // 2, n_segments, generator=generator) < 0.5
    half[0] = True  # its complement is the empty coalition
    return torch.stack([half, ~half], dim=1).flatten(0, 1)


def _shapley_coalitions(
    n_segments: int, n_samples: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Coalitions neither empty nor whole, and their weights: all there are, or pairs drawn."""
    if n_segments < 2:
        return torch.zeros(0, n_segments, dtype=torch.bool), torch.zeros(0, dtype=torch.float64)
    if n_segments <= 30 and 2**n_segments - 2 <= n_samples:
        every = torch.tensor(list(itertools.product([False, True], repeat=n_segments))[1:-1])
        kernel = [
            (n_segments - 1) / (math.comb(n_segments, size) * size * (n_segments - size))
            for size in every.sum(1).tolist()
        ]
        return every, torch.tensor(kernel, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.arange(1, n_segments)
    shares = 1.0 / (sizes * (n_segments - sizes))
    drawn = sizes[torch.multinomial(shares, n_samples // 2, replacement=True, generator=generator)]
    ranks = torch.rand(len(drawn), n_segments, generator=generator).argsort(dim=1).argsort(dim=1)
    half = ranks < drawn[:, None]
    pairs = torch.stack([half, ~half], dim=1).flatten(0, 1)
    return pairs, torch.ones(len(pairs), dtype=torch.float64)


@torch.no_grad()
def _answer(
    model: nn.Module,
    sample: torch.Tensor,
    label: torch.Tensor,
    segments: torch.Tensor,
    coalitions: torch.Tensor,
    baseline: Baseline,
    score: str,
    batch_size: int,
) -> torch.Tensor:
    """Score of the target for every coalition, shape (K,), float64 on the CPU."""
    silence = baseline_like(sample, baseline)
    segments = segments.to(sample.device)
    answers = []
    for chunk in coalitions.to(sample.device).split(batch_size):
        masked = torch.where(chunk[:, segments][:, None], sample, silence)
        outputs = model(masked).double()
        if score == "probability":
            outputs = outputs.softmax(dim=1)
        answers.append(outputs[:, label.item()].cpu())
    return torch.cat(answers)


def _ridge(
    kept: torch.Tensor, answers: torch.Tensor, weights: torch.Tensor, strength: float
) -> torch.Tensor:
    """Weighted ridge regression; the intercept carries no penalty."""
    total = weights.sum()
    kept = kept - (weights @ kept) / total
    answers = answers - (weights @ answers) / total
    weighted = kept * weights[:, None]
    gram = weighted.T @ kept + strength * torch.eye(kept.shape[1], dtype=kept.dtype)
    return torch.linalg.solve(gram, weighted.T @ answers)


def _constrained(
    kept: torch.Tensor, gains: torch.Tensor, weights: torch.Tensor, total: torch.Tensor
) -> torch.Tensor:
    """Weighted least squares without intercept whose coefficients add up to `total`.

    The last coefficient is what the others leave of the total.
    """
    last = kept[:, -1]
    root = weights.sqrt()
    design = (kept[:, :-1] - last[:, None]) * root[:, None]
    free = torch.linalg.pinv(design) @ ((gains - last * total) * root)
    return torch.cat([free, (total - free.sum()).reshape(1)])


def _spread(values: torch.Tensor, segments: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """The value of its segment for every bin, in the shape of `sample`."""
    return values[segments].to(sample).expand_as(sample)
