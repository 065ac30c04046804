"""Attributions from the outputs of a model when segments are replaced by the baseline.

    coalitions (K, segments) -> masked features -> answers (K,) -> value of every segment

A coalition is the set of segments that are kept; its answer is the model's score of the target.
Coalitions come in pairs of complements, whose errors cancel in part, so fewer are needed. captum
draws coalitions one by one and solves with scikit-learn. Here they are drawn, evaluated and solved
together, which is much faster for a network with a forward pass of about a millisecond.
"""

import itertools
import math

import torch

from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.segments import Segmenter, grid, quickshift
from autrainer_ext.serving.forward import ForwardPass

from .contract import Baseline, baseline_like, forward_attributor, one_by_one

_SCORES = ("logit", "probability")


@forward_attributor
def lime(
    forward: ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = quickshift,
    baseline: Baseline = 0.0,
    n_samples: int = 256,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    score: str = "probability",
    seed: int = 0,
) -> torch.Tensor:
    """Weights of a linear model of the answers close to the clip.

    Ridge regression of the answers on the kept segments. Coalitions are weighted with
    exp(-d^2 / (2 w^2)), where d is the cosine distance from the whole clip. Every bin has the
    weight of its segment, as in lime's image explainer.

    Args:
        forward: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        segmenter: Function that divides a clip into segments.
        baseline: Value of silent features.
        n_samples: Number of coalitions per sample, at least 2. Each contains every segment with
            probability one half; one of them is the whole clip.
        kernel_width: Width w of the kernel.
        ridge: Strength of the penalty on squared weights.
        score: Output of the model that is explained: "probability" as in the paper, or "logit".
        seed: Seed of the coalitions.

    Raises:
        ValueError: If `n_samples` is smaller than 2 or `score` is unknown.

    Source:
        Ribeiro, Singh and Guestrin (2016), "Why should I trust you?", equation 2; the kernel and
        the penalty are those of lime 0.2.0.1, lime_image.py.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> features, target = torch.ones(1, 1, 4, 16), torch.tensor([0])
        >>> lime(model, features, target, segmenter=grid).unique().numel()
        32
    """
    _check(n_samples, score)

    def attribute(forward: ForwardPass, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        segments = segmenter(sample[0].cpu())
        coalitions = _even_coalitions(int(segments.max()) + 1, n_samples, seed)
        answers = _answer(forward, sample, label, segments, coalitions, baseline, score)
        kept = coalitions.double()
        # cosine similarity with the whole clip; an empty coalition has none
        distance = 1 - kept.mean(dim=1).sqrt()
        weights = torch.exp(-(distance**2) / (2 * kernel_width**2))
        return _spread(_ridge(kept, answers, weights, ridge), segments, sample)

    return one_by_one(attribute, forward, features, target)


@forward_attributor
def kernel_shap(
    forward: ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = grid,
    baseline: Baseline = 0.0,
    n_samples: int = 512,
    score: str = "logit",
    seed: int = 0,
) -> torch.Tensor:
    """Shapley values of segments by weighted least squares.

    The values of the segments sum to f(features) - f(baseline). The value of a segment is divided
    evenly among its bins and channels, so the attributions have the same sum. If a clip has at most
    `n_samples` coalitions, all of them are evaluated and the values are exact.

    Args:
        forward: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        segmenter: Function that divides a clip into segments.
        baseline: Value of silent features.
        n_samples: Number of coalitions per sample besides the empty and the whole one, at least 2.
        score: Output of the model that is explained, "logit" or "probability".
        seed: Seed of the coalitions.

    Raises:
        ValueError: If `n_samples` is smaller than 2 or `score` is unknown.

    Source:
        Lundberg and Lee (2017), A unified approach to interpreting model predictions, theorem
        2; Covert and Lee (2021), Improving KernelSHAP, section 3.3, for the pairs.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> kernel_shap(model, features, target, baseline=-1.0).numpy().round(3).tolist()
        [[[[2.0, 4.0]]]]
    """
    _check(n_samples, score)

    def attribute(forward: ForwardPass, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        segments = segmenter(sample[0].cpu())
        n_segments = int(segments.max()) + 1
        coalitions, weights = _shapley_coalitions(n_segments, n_samples, seed)
        ends = torch.tensor([[False], [True]]).expand(2, n_segments)
        evaluated = torch.cat([ends, coalitions])
        answers = _answer(forward, sample, label, segments, evaluated, baseline, score)
        empty, whole = answers[0], answers[1]
        values = _constrained(coalitions.double(), answers[2:] - empty, weights, whole - empty)
        sizes = torch.bincount(segments.flatten(), minlength=n_segments) * sample.shape[1]
        return _spread(values / sizes, segments, sample)

    return one_by_one(attribute, forward, features, target)


@forward_attributor
def occlusion(
    forward: ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = grid,
    baseline: Baseline = 0.0,
) -> torch.Tensor:
    """Decrease of the target's output when a segment is replaced by the baseline.

    Every bin has the value of its segment.

    Source:
        Zeiler and Fergus (2014), Visualizing and understanding convolutional networks,
        section 4.2.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> occlusion(model, features, target, baseline=-1.0).tolist()
        [[[[2.0, 4.0]]]]
    """

    def attribute(forward: ForwardPass, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        segments = segmenter(sample[0].cpu())
        n_segments = int(segments.max()) + 1
        whole = torch.ones(1, n_segments, dtype=torch.bool)
        coalitions = torch.cat([whole, ~torch.eye(n_segments, dtype=torch.bool)])
        answers = _answer(forward, sample, label, segments, coalitions, baseline, "logit")
        return _spread(answers[0] - answers[1:], segments, sample)

    return one_by_one(attribute, forward, features, target)


def _check(n_samples: int, score: str) -> None:
    if n_samples < 2:
        raise ValueError(f"n_samples must be at least 2, got {n_samples}.")
    if score not in _SCORES:
        raise unknown_name("score", score, _SCORES)


def _even_coalitions(n_segments: int, n_samples: int, seed: int) -> torch.Tensor:
    """Whole and empty clip, then random halves and their complements, (n_samples, n_segments)."""
    generator = torch.Generator().manual_seed(seed)
    half = torch.rand(n_samples // 2, n_segments, generator=generator) < 0.5
    half[0] = True  # its complement is the empty coalition
    return torch.stack([half, ~half], dim=1).flatten(0, 1)


def _shapley_coalitions(
    n_segments: int, n_samples: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Coalitions except the empty and the whole one, and their weights: all, or random pairs."""
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


def _answer(
    forward: ForwardPass,
    sample: torch.Tensor,
    label: torch.Tensor,
    segments: torch.Tensor,
    coalitions: torch.Tensor,
    baseline: Baseline,
    score: str,
) -> torch.Tensor:
    """Score of the target for every coalition, shape (K,), float64 on the CPU."""
    silence = baseline_like(sample, baseline)
    segments = segments.to(sample.device)
    chunks = coalitions.to(sample.device).split(forward.batch_size_for(sample.shape[1:]))
    masked = (torch.where(chunk[:, segments][:, None], sample, silence) for chunk in chunks)
    outputs = torch.cat(list(forward.stream(masked))).double()
    if score == "probability":
        outputs = outputs.softmax(dim=1)
    return outputs[:, label.item()]


def _ridge(
    kept: torch.Tensor, answers: torch.Tensor, weights: torch.Tensor, strength: float
) -> torch.Tensor:
    """Weighted ridge regression without a penalty on the intercept."""
    total = weights.sum()
    kept = kept - (weights @ kept) / total
    answers = answers - (weights @ answers) / total
    weighted = kept * weights[:, None]
    gram = weighted.T @ kept + strength * torch.eye(kept.shape[1], dtype=kept.dtype)
    return torch.linalg.solve(gram, weighted.T @ answers)


def _constrained(
    kept: torch.Tensor, gains: torch.Tensor, weights: torch.Tensor, total: torch.Tensor
) -> torch.Tensor:
    """Weighted least squares without intercept whose coefficients sum to `total`.

    The last coefficient is the total minus the sum of the others.
    """
    last = kept[:, -1]
    root = weights.sqrt()
    design = (kept[:, :-1] - last[:, None]) * root[:, None]
    free = torch.linalg.pinv(design) @ ((gains - last * total) * root)
    return torch.cat([free, (total - free.sum()).reshape(1)])


def _spread(values: torch.Tensor, segments: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """Assign every bin the value of its segment; shape of `sample`."""
    return values[segments].to(sample).expand_as(sample)
