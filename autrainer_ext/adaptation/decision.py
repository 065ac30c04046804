"""Decision before serving: is an adapted network better than the source model on a folder?

features -> source predictions -> class mix -> even?   yes: statistics, steps -> adapted
                                               no:  source, on request with a narrow mix as a prior
                                               then compare with the source; serve it when in doubt

No label is used. All thresholds were chosen on two development speakers; see
docs/studies/adaptation.md.
"""

import copy
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .losses import entropy_nats
from .methods import BatchNormStatistics
from .mix import TEMPERATURE, effective_classes, estimate_mix, mix_bias, mix_error, unevenness
from .parameters import batch_norms, check_adaptable, named_parameters
from .procedure import AdaptationMethod
from .protocol import Protocol, adapt, settle
from .registry import make_method

_LOG = logging.getLogger("autrainer_ext")
FEWEST_SAMPLES = 16  # below, statistics of the folder and its mix are too uncertain
DOUBTFUL_SAMPLES = 32
SURE = 0.9  # confidence of a prediction of the source that adaptation should keep
_KEPT = 0.8  # smallest share of sure predictions that an adapted network keeps
_EVEN_ENTROPY = 0.78  # smallest entropy of the source's mix of an even folder, as a share of ln C
_MORE_ENTROPY = 0.028  # largest rise of the mean entropy, as a share of ln C
_EXPECTED_GAIN = 0.01  # smallest rise of the mean confidence that is worth a change
_FEW_CLASSES = 0.25  # largest share of effective classes of a narrow mix
_MAJOR = 1.5  # a class is frequent if its share exceeds this multiple of 1 / C
_FREQUENT = 0.9  # smallest share of predictions of frequent classes in a narrow mix
_UNSURE = 0.6  # largest mean confidence of predictions that a prior may change
_CHUNK = 128


@dataclass(frozen=True)
class Candidate:
    """Network that could be served, with its predictions for the folder.

    Attributes:
        name: "source", "source+prior", "statistics" or "adapted".
        model: Network in evaluation mode.
        logits: Logits of the folder as they would be served, shape (N, C).
    """

    name: str
    model: nn.Module
    logits: torch.Tensor


@dataclass(frozen=True)
class Decision:
    """Which candidate is served, and why.

    Attributes:
        served: Name of the candidate.
        reason: One or two sentences for users.
        mix: Class mix estimated from the source model, shape (C,).
        mix_error: Bootstrap standard error of `mix` over samples, shape (C,).
        scores: One row per candidate; see `candidate_scores`.
    """

    served: str
    reason: str
    mix: torch.Tensor
    mix_error: torch.Tensor
    scores: list[dict[str, Any]]


@dataclass(frozen=True)
class Adaptation:
    """Result of `adapt_to`.

    Attributes:
        model: Network to serve, in evaluation mode; a copy.
        decision: Decision.
        steps: Steps of the adaptation, see `Outcome`; empty if no step was tried.
    """

    model: nn.Module
    decision: Decision
    steps: list[dict]


def adapt_to(
    model: nn.Module,
    features: torch.Tensor | Iterable[torch.Tensor],
    *,
    method: str = "ntta",
    options: dict[str, Any] | None = None,
    passes: int = 3,
    batch_size: int = 32,
    seed: int = 0,
    always: bool = False,
    same_mix: bool = False,
    class_names: Sequence[str] | None = None,
) -> Adaptation:
    """Adapt a network to unlabelled features and decide whether to serve the result.

    Args:
        model: Classifier from features to logits. It does not change.
        features: Features, shape (N, ...), or batches of them.
        method: Name of the method, see `ADAPTATION_METHODS`. Default: "ntta".
        options: Settings of the method. Default: those of the method; NTTA gets diversity 1.
        passes: Number of passes over the features. Default: 3.
        batch_size: Number of samples in a step, at least 2. Default: 32.
        seed: Seed of order, shifts and bootstrap. Default: 0.
        always: Whether to serve the adapted network without a decision. Default: False.
        same_mix: Whether the network will be used on the class mix of these features, so that a mix
            of few classes may be served as a prior. Default: False.
        class_names: Names of the classes for the reason. Default: their numbers.

    Returns:
        Network to serve, decision and steps.

    Raises:
        ValueError: If there are fewer than two finite samples, the network is not a classifier with
            at least two classes, or method and network do not go together.
    """
    if not isinstance(features, torch.Tensor):
        features = torch.cat(list(features))
    features = features[torch.isfinite(features).flatten(1).all(dim=1)]
    if len(features) < 2:
        raise ValueError(f"At least 2 samples with finite features are needed: {len(features)}.")
    check_adaptable(model)
    features = features.to(next(iter(named_parameters(model).values())).device)
    source = copy.deepcopy(model).eval()
    source.output_dim = n_classes = count_classes(source, features)  # type: ignore[assignment] # plain modules lack it
    names = list(class_names or map(str, range(n_classes)))
    candidates = [Candidate("source", source, predict_all(source, features))]
    if batch_norms(source):
        candidates.append(_with_statistics(source, features))
    doubt = _doubt_about_evenness(candidates[0], candidates[-1])
    steps: list[dict] = []
    if always or not doubt:
        settings = _options(method, options, seed=seed, guarded=bool(doubt))
        protocol = Protocol(
            mode="offline", order="stratified", passes=passes, batch_size=batch_size, seed=seed,
            keep="average",
        )  # fmt: skip
        adapted, steps = _with_steps(source, features, method, settings, protocol, candidates[-1])
        if adapted is not None:
            candidates.append(adapted)
    elif same_mix:
        prior = _with_prior(candidates[0], features)
        if prior is not None:
            candidates.append(prior)
    served, reason = _choose(candidates, doubt, names, always=always)
    _warn(len(features), doubt)
    decision = Decision(
        served.name,
        reason,
        estimate_mix(candidates[0].logits),
        mix_error(candidates[0].logits, seed=seed),
        [candidate_scores(each, candidates[0], names) for each in candidates],
    )
    return Adaptation(served.model, decision, steps)


def candidate_scores(
    candidate: Candidate, source: Candidate, class_names: Sequence[str]
) -> dict[str, Any]:
    """Scores without labels of a candidate.

    Args:
        candidate: Candidate.
        source: Source model.
        class_names: Names of the classes.

    Returns:
        candidate: its name; entropy: mean entropy in nats; confidence: mean largest probability at
        temperature 0.5; agreement: share of predictions equal to the source's; sure_agreement: the
        same where the source's confidence exceeds 0.9, nan if it never does; unevenness: see
        `unevenness`; share_NAME: estimated share of every class.
    """
    mix = estimate_mix(candidate.logits)
    return {
        "candidate": candidate.name,
        "entropy": float(entropy_nats(candidate.logits).mean()),
        "confidence": float(confidence(candidate.logits).mean()),
        "agreement": float(_agrees(candidate, source).mean()),
        "sure_agreement": float(_agrees(candidate, source)[_sure(source)].mean()),
        "unevenness": unevenness(mix),
        **{f"share_{name}": float(share) for name, share in zip(class_names, mix, strict=True)},
    }


def confidence(logits: torch.Tensor) -> torch.Tensor:
    """Largest probability of every prediction at temperature 0.5, shape (N,).

    Args:
        logits: Logits, shape (N, C).
    """
    return (logits / TEMPERATURE).softmax(dim=1).amax(dim=1)


def evenness_limit(n_samples: int, n_classes: int) -> float:
    """Largest unevenness of a folder that counts as even, 0.25 + 0.4 sqrt(2 C / (pi N)).

    The root is the expected unevenness of N samples drawn from equally frequent classes; 0.25
    covers the confusions of the model.

    Args:
        n_samples: Number of samples N.
        n_classes: Number of classes C.

    Example:
        >>> round(evenness_limit(100, 10), 2)
        0.35
    """
    return 0.25 + 0.4 * math.sqrt(2 * n_classes / (math.pi * n_samples))


def count_classes(model: nn.Module, features: torch.Tensor) -> int:
    """Number of classes of a classifier.

    Args:
        model: Network in evaluation mode.
        features: Features, shape (N, ...), N at least 1.

    Raises:
        ValueError: If the outputs do not have the shape (N, C) with at least two classes.
    """
    with torch.no_grad():
        outputs = model(features[:1])
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        raise ValueError(
            f"Adaptation needs a classifier with logits of shape (N, C) and at least two classes, "
            f"got outputs of shape (N{''.join(f', {n}' for n in outputs.shape[1:])})."
        )
    return outputs.shape[1]


def predict_all(model: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """Logits of a network in evaluation mode, shape (N, C), computed in chunks.

    Args:
        model: Network in evaluation mode.
        features: Features, shape (N, ...).
    """
    with torch.no_grad():
        return torch.cat([model(chunk).cpu() for chunk in features.split(_CHUNK)])


def _with_statistics(source: nn.Module, features: torch.Tensor) -> Candidate:
    method = BatchNormStatistics(copy.deepcopy(source))
    settle(method, features, batch_size=_CHUNK)
    return Candidate("statistics", method.model, predict_all(method.model, features))


def _options(
    method: str, options: dict[str, Any] | None, *, seed: int, guarded: bool
) -> dict[str, Any]:
    if method != "ntta":
        return dict(options or {})
    return {"seed": seed, "diversity": 1.0, "guard": guarded, **(options or {})}


def _with_steps(
    source: nn.Module,
    features: torch.Tensor,
    name: str,
    options: dict[str, Any],
    protocol: Protocol,
    reference: Candidate,
) -> tuple[Candidate | None, list[dict]]:
    """Adapted network, None if no step was kept, and its steps."""
    method: AdaptationMethod = make_method(name, copy.deepcopy(source), options)
    groups = reference.logits.argmax(dim=1).numpy()
    outcome = adapt(method, features, protocol, groups=groups)
    if not outcome.accepted.any():
        return None, outcome.steps
    trusted = features[torch.from_numpy(outcome.accepted).to(features.device)]
    settle(method, trusted, batch_size=_CHUNK)
    network = method.model.eval()
    return Candidate("adapted", network, predict_all(network, features)), outcome.steps


def _with_prior(source: Candidate, features: torch.Tensor) -> Candidate | None:
    """Source model that expects the mix, None unless the evidence for few classes is strong."""
    n, n_classes = source.logits.shape
    mix, confidences = estimate_mix(source.logits), confidence(source.logits)
    if n < DOUBTFUL_SAMPLES or effective_classes(mix) > _FEW_CLASSES * n_classes:
        return None
    predicted = source.logits.argmax(dim=1)
    is_frequent = mix > _MAJOR / n_classes
    if is_frequent[predicted].float().mean() < _FREQUENT:
        return None
    for frequent in torch.nonzero(is_frequent).flatten():
        members = confidences[predicted == frequent]
        if not len(members) or members.mean() < SURE:
            return None
    bias = mix_bias(mix)
    moved = (source.logits + bias).argmax(dim=1) != predicted
    if moved.any() and confidences[moved].mean() > _UNSURE:
        return None
    network = add_bias(source.model, bias, features[:2])
    return None if network is None else Candidate("source+prior", network, source.logits + bias)


def add_bias(model: nn.Module, bias: torch.Tensor, examples: torch.Tensor) -> nn.Module | None:
    """Copy of a network with a constant added to its logits through its last bias.

    Args:
        model: Network in evaluation mode.
        bias: Constant, shape (C,).
        examples: Features to verify the result with.

    Returns:
        The copy, or None if the network has no bias that acts in this way.
    """
    network = copy.deepcopy(model)
    last = [
        parameter
        for name, parameter in named_parameters(network).items()
        if name.endswith("bias") and parameter.shape == bias.shape
    ][-1:]
    with torch.no_grad():
        expected = network(examples) + bias.to(examples.device)
        for parameter in last:
            parameter.add_(bias.to(parameter.device))
        is_constant = torch.allclose(network(examples), expected, atol=1e-3)
    return network if is_constant else None


def _doubt_about_evenness(source: Candidate, reference: Candidate) -> str:
    """Why a folder is not taken as even, or an empty text."""
    n = len(source.logits)
    if n < FEWEST_SAMPLES:
        return f"{n} files are too few, at least {FEWEST_SAMPLES} are needed"
    mix = estimate_mix(source.logits)
    if math.log(effective_classes(mix)) < _EVEN_ENTROPY * math.log(len(mix)):
        return "the model predicts some classes much more often than others"
    return _doubt_about(reference, source)


def _doubt_about(candidate: Candidate, source: Candidate) -> str:
    """Why a candidate may be worse than the source, or an empty text."""
    n, n_classes = source.logits.shape
    if unevenness(estimate_mix(candidate.logits)) > evenness_limit(n, n_classes):
        return "the classes are uneven"
    rise = entropy_nats(candidate.logits).mean() - entropy_nats(source.logits).mean()
    if rise > _MORE_ENTROPY * math.log(n_classes):
        return "statistics of these files make the predictions less certain"
    kept = _agrees(candidate, source)[_sure(source)]
    if len(kept) and kept.mean() < _KEPT:
        return "too many predictions that the model is sure of would change"
    return ""


def _choose(
    candidates: list[Candidate], doubt: str, names: Sequence[str], *, always: bool
) -> tuple[Candidate, str]:
    """Candidate to serve and the reason in words."""
    source, last = candidates[0], candidates[-1]
    look = _describe_mix(source, names)
    changed = 1 - float(_agrees(last, source).mean())
    change = f"{changed:.0%} of the predictions change"
    if always and last.name == "adapted":
        return last, f"{look} The adapted model is served as requested; {change}."
    if always:
        return source, f"{look} The model is unchanged, since no step was kept."
    if last.name == "source+prior":
        return last, f"{look} Only the class mix is corrected for; {change}."
    if doubt:
        return source, f"{look} The model is unchanged: {doubt}."
    doubt = _doubt_about(last, source)
    gain = float((confidence(last.logits) - confidence(source.logits)).mean())
    if last.name == "adapted" and not doubt and gain >= _EXPECTED_GAIN:
        return last, f"{look} The adapted model is served; {change}, expected gain {gain:.0%}."
    return source, f"{look} The model is unchanged: {doubt or 'no gain is expected'}."


def _describe_mix(source: Candidate, names: Sequence[str]) -> str:
    counts = torch.bincount(source.logits.argmax(dim=1), minlength=len(names))
    top = int(counts.argmax())
    return f"{int(counts[top])} of {len(source.logits)} files look like class '{names[top]}'."


def _warn(n_samples: int, doubt: str) -> None:
    if n_samples < DOUBTFUL_SAMPLES:
        _LOG.warning(
            "%d files are few: the class mix and the gain are uncertain below %d.",
            n_samples,
            DOUBTFUL_SAMPLES,
        )
    elif doubt:
        _LOG.warning("Not adapted: %s.", doubt)


def _agrees(candidate: Candidate, source: Candidate) -> torch.Tensor:
    return (candidate.logits.argmax(dim=1) == source.logits.argmax(dim=1)).float()


def _sure(source: Candidate) -> torch.Tensor:
    return confidence(source.logits) > SURE
