"""Attributions from the outputs of a model when segments are replaced by the baseline.

    coalitions (K, segments) -> masked features -> answers (K,) -> value of every segment

A coalition is the set of segments that are kept; its answer is the model's score of the target.
Segments without a sounding bin (`sizes.is_sounding`) are no players: they stay as they are in every
copy, and their value is 0. captum draws coalitions one by one and solves with scikit-learn. Here
they are drawn, evaluated and solved together, which is much faster for a network with a forward
pass of about a millisecond. Coalitions are evaluated until the standard error of the values is
small or a budget is spent (`estimate`).
"""

import functools
from collections.abc import Callable

import torch

from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.segments import Segmenter, grid, quickshift
from autrainer_ext.explanation.sizes import levels, sounding_segments
from autrainer_ext.serving.forward import ForwardPass, forward_pass

from .coalitions import lime_coalitions, shapley_coalitions
from .contract import Baseline, baseline_like, forward_attributor, one_by_one
from .estimate import Estimate, estimate, local_weights, shapley

_SCORES = ("logit", "probability")
N_SAMPLES = 2048
TARGET_ERROR = 0.1
_N_PREDICTED = 16384  # coalitions that LIME's surrogate answers
_LIME_SAMPLES = 1000  # number of samples of lime, for which its penalty was chosen


def estimate_lime(
    model: torch.nn.Module | ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = quickshift,
    baseline: Baseline = 0.0,
    n_samples: int = N_SAMPLES,
    target_error: float = TARGET_ERROR,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    score: str = "probability",
    fill_with_means: bool = False,
    seed: int = 0,
) -> Estimate:
    """Weights of a linear model of the answers close to the clip, with standard errors.

    Ridge regression of the answers on the kept segments. Coalitions are weighted with
    exp(-d^2 / (2 w^2)), where d is the cosine distance from the whole clip. Every bin has the
    weight of its segment, as in lime's image explainer. The penalty is that of 1000 coalitions
    however many are evaluated, so that weights do not shrink more where fewer are needed.

    Args:
        model: Network from features to logits, shape (N, C), or a `ForwardPass` of one.
        features: Features of one clip, shape (1, channels, frames, mel_bins).
        target: Class that is explained, shape (1,), int64.
        segmenter: Function that divides a clip into segments.
        baseline: Value of silent features.
        n_samples: Largest number of coalitions, at least 2. Each contains every segment with
            probability one half; one of them is the whole clip.
        target_error: Root mean square of the standard errors, in standard deviations of the
            weights, below which no more coalitions are evaluated.
        kernel_width: Width w of the kernel.
        ridge: Strength of the penalty on squared weights.
        score: Output of the model that is explained: "probability" as in the paper, or "logit".
        fill_with_means: Whether removed segments are replaced by their means, as lime's image
            explainer does by default, instead of the baseline.
        seed: Seed of the coalitions.

    Raises:
        ValueError: If `n_samples` is smaller than 2 or `score` is unknown.

    Source:
        Ribeiro, Singh and Guestrin (2016), "Why should I trust you?", equation 2; the kernel and
        the penalty are those of lime 0.2.0.1, lime_image.py.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
        >>> features, target = torch.ones(1, 1, 4, 16), torch.tensor([0])
        >>> found = estimate_lime(model, features, target, segmenter=grid, n_samples=1024)
        >>> found.n_segments, found.n_samples
        (32, 512)
    """
    _check(n_samples, score)
    forward = forward_pass(model, features)
    segments = segmenter(features[0].cpu())
    players = sounding_segments(segments, levels(features[0], baseline).cpu())
    if not len(players):
        return _silence(features)
    coalitions = lime_coalitions(len(players), n_samples, kernel_width=kernel_width, seed=seed)

    others = lime_coalitions(len(players), _N_PREDICTED, kernel_width=kernel_width, seed=seed + 1)
    solve = functools.partial(local_weights, strength=ridge / _LIME_SAMPLES, others=others)
    silence = segment_means(features[0], segments) if fill_with_means else baseline
    answer = _answers(forward, features, target, segments, players, silence, score)
    values, errors, size, agreement = estimate(answer, coalitions, solve, target_error=target_error)
    return Estimate(
        _spread(values, segments, players, features),
        _spread(errors, segments, players, features),
        len(players),
        size,
        agreement,
    )


def estimate_kernel_shap(
    model: torch.nn.Module | ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    *,
    segmenter: Segmenter = grid,
    baseline: Baseline = 0.0,
    n_samples: int = N_SAMPLES,
    target_error: float = TARGET_ERROR,
    score: str = "logit",
    seed: int = 0,
) -> Estimate:
    """Shapley values of segments by weighted least squares, with standard errors.

    The values of the segments sum to f(features) - f(features without the sounding segments). The
    value of a segment is divided evenly among its bins and channels, so the attributions have the
    same sum. If a clip has at most 1022 coalitions and `n_samples` allows it, all of them are
    evaluated and the values are exact.

    Args:
        model: Network from features to logits, shape (N, C), or a `ForwardPass` of one.
        features: Features of one clip, shape (1, channels, frames, mel_bins).
        target: Class that is explained, shape (1,), int64.
        segmenter: Function that divides a clip into segments.
        baseline: Value of silent features.
        n_samples: Largest number of coalitions besides the empty and the whole one, at least 2.
        target_error: As of `estimate_lime`, for the values of segments.
        score: Output of the model that is explained, "logit" or "probability".
        seed: Seed of the coalitions.

    Raises:
        ValueError: If `n_samples` is smaller than 2 or `score` is unknown.

    Source:
        Lundberg and Lee (2017), A unified approach to interpreting model predictions, theorem 2;
        for the coalitions see `coalitions.shapley_coalitions`.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> found = estimate_kernel_shap(model, features, target, baseline=-1.0)
        >>> found.attributions.numpy().round(3).tolist(), found.n_samples
        ([[[[2.0, 4.0]]]], 4)
    """
    _check(n_samples, score)
    forward = forward_pass(model, features)
    segments = segmenter(features[0].cpu())
    players = sounding_segments(segments, levels(features[0], baseline).cpu())
    if not len(players):
        return _silence(features)
    answer = _answers(forward, features, target, segments, players, baseline, score)
    empty, whole = answer(torch.tensor([[False], [True]]).expand(2, len(players)))
    if len(players) < 2:
        values, size, agreement = (whole - empty).expand(len(players)), 0, float("nan")
        errors = torch.zeros_like(values)
    else:
        coalitions = shapley_coalitions(len(players), n_samples, seed=seed)
        solve = functools.partial(shapley, total=whole - empty, is_complete=coalitions.is_complete)
        values, errors, size, agreement = estimate(
            answer, coalitions, solve, target_error=target_error
        )
    n_bins = torch.bincount(segments.flatten())[players] * features.shape[1]
    return Estimate(
        _spread(values / n_bins, segments, players, features),
        _spread(errors / n_bins, segments, players, features),
        len(players),
        size + 2,
        agreement,
    )


@forward_attributor
def lime(
    forward: ForwardPass, features: torch.Tensor, target: torch.Tensor, **settings: object
) -> torch.Tensor:
    """Weights of a linear model of the answers close to the clip; see `estimate_lime`.

    Args:
        forward: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        **settings: Settings of `estimate_lime`.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
        >>> features, target = torch.ones(1, 1, 4, 16), torch.tensor([0])
        >>> lime(model, features, target, segmenter=grid).unique().numel()
        32
    """
    return one_by_one(_attributions_of(estimate_lime, settings), forward, features, target)


@forward_attributor
def kernel_shap(
    forward: ForwardPass, features: torch.Tensor, target: torch.Tensor, **settings: object
) -> torch.Tensor:
    """Shapley values of segments by weighted least squares; see `estimate_kernel_shap`.

    Args:
        forward: Network from features to logits, shape (N, C).
        features: Shape (N, channels, frames, mel_bins).
        target: Class that is explained, shape (N,), int64.
        **settings: Settings of `estimate_kernel_shap`.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> kernel_shap(model, features, target, baseline=-1.0).numpy().round(3).tolist()
        [[[[2.0, 4.0]]]]
    """
    return one_by_one(_attributions_of(estimate_kernel_shap, settings), forward, features, target)


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
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> occlusion(model, features, target, baseline=-1.0).tolist()
        [[[[2.0, 4.0]]]]
    """

    def attribute(forward: ForwardPass, sample: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        segments = segmenter(sample[0].cpu())
        players = torch.arange(int(segments.max()) + 1)
        whole = torch.ones(1, len(players), dtype=torch.bool)
        coalitions = torch.cat([whole, ~torch.eye(len(players), dtype=torch.bool)])
        answer = _answers(forward, sample, label, segments, players, baseline, "logit")
        answers = answer(coalitions)
        return _spread(answers[0] - answers[1:], segments, players, sample)

    return one_by_one(attribute, forward, features, target)


def _check(n_samples: int, score: str) -> None:
    if n_samples < 2:
        raise ValueError(f"n_samples must be at least 2, got {n_samples}.")
    if score not in _SCORES:
        raise unknown_name("score", score, _SCORES)


def segment_means(sample: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
    """Features of a clip averaged over every segment, per channel.

    Args:
        sample: Features, shape (channels, frames, mel_bins).
        segments: Segment of every bin, shape (frames, mel_bins).

    Returns:
        Shape of `sample`.

    Example:
        >>> segment_means(torch.tensor([[[1.0, 3.0, 5.0]]]), torch.tensor([[0, 0, 1]])).tolist()
        [[[2.0, 2.0, 5.0]]]
    """
    flat = segments.flatten().to(sample.device)
    sizes = torch.bincount(flat)
    means = [torch.bincount(flat, channel.flatten().double()) / sizes for channel in sample]
    return torch.stack(means)[:, segments.to(sample.device)].to(sample)


def _silence(features: torch.Tensor) -> Estimate:
    """Estimate for a clip without a sounding segment."""
    return Estimate(torch.zeros_like(features), torch.zeros_like(features), 0, 0)


def _attributions_of(
    estimated: Callable[..., Estimate], settings: dict[str, object]
) -> Callable[..., torch.Tensor]:
    return lambda forward, sample, label: estimated(forward, sample, label, **settings).attributions


def _answers(
    forward: ForwardPass,
    sample: torch.Tensor,
    label: torch.Tensor,
    segments: torch.Tensor,
    players: torch.Tensor,
    baseline: Baseline,
    score: str,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Function from coalitions of players, (K, players), to scores of the target, (K,), float64."""
    silence = baseline_like(sample, baseline)
    placed = segments.to(sample.device)
    chunk_size = forward.batch_size_for(sample.shape[1:])

    def answer(coalitions: torch.Tensor) -> torch.Tensor:
        kept = torch.ones(len(coalitions), int(segments.max()) + 1, dtype=torch.bool)
        kept[:, players] = coalitions.bool()
        chunks = kept.to(sample.device).split(chunk_size)
        masked = (torch.where(chunk[:, placed][:, None], sample, silence) for chunk in chunks)
        outputs = torch.cat(list(forward.stream(masked))).double()
        if score == "probability":
            outputs = outputs.softmax(dim=1)
        return outputs[:, int(label)]

    return answer


def _spread(
    values: torch.Tensor, segments: torch.Tensor, players: torch.Tensor, sample: torch.Tensor
) -> torch.Tensor:
    """Assign every bin the value of its segment, 0 where it is no player; shape of `sample`."""
    every = torch.zeros(int(segments.max()) + 1, dtype=values.dtype)
    every[players] = values
    return every[segments].to(sample).expand_as(sample)
