"""Fidelity measures per sample: how well an explanation agrees with the behaviour of a model.

f is the probability of the target, x the features, x_in the part a mask keeps, x_out the part it
removes, and a the attributions:

    FF    = f(x) - f(x_out)                       confidence lost when the kept part is removed
    AI    = 100 [f(x_in) > f(x) + tolerance]      whether confidence rises for the kept part alone
    AD    = 100 max(0, f(x) - f(x_in)) / f(x)     drop for the kept part, per cent of f(x)
    AG    = 100 max(0, f(x_in) - f(x)) / (1 - f(x))   gain, per cent of the largest possible gain
    FidIn = [argmax f(x_in) = target]             whether the prediction stays the same
    SPS   = Gini index of |a|                     sparseness: 0 all bins equal, near 1 a single bin
    COMP  = - sum q ln q, q = |a| / sum |a|       complexity in nats: 0 a single bin, ln n all equal

Removing random bins also yields a spectrogram unlike the training data, and thus a high FF. Every
value must therefore be compared with that of a random mask.

For attributions that explain nothing (`masks.explains_nothing`), SPS is 0 and COMP is ln n, the
worst values, and the insertion and deletion curves are straight lines.

Source:
    Petsiuk, Das and Saenko (2018), RISE (insertion and deletion); Chattopadhay et al. (2018),
    Grad-CAM++ (AI, AD); Zhang et al. (2024), Opti-CAM (AG); Paissan, Ravanelli and Subakan (2024),
    Listenable maps for audio classifiers, section 4 (FF, FidIn); Chalasani et al. (2020), Concise
    explanations of neural networks using adversarial training (SPS); Bhatt, Weller and Moura
    (2020), Evaluating and aggregating feature-based model explanations (COMP).

Departures: AI has a tolerance, because rounding alone must not count as an increase; SPS and COMP
are computed from the attributions, not from the mask.
"""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import torch

from autrainer_ext.serving.forward import ForwardPass, Predict, forward_pass

from .masks import apply_mask, explains_nothing

_TOLERANCE = 1e-6  # of an increase of f
_EPSILON = 1e-6  # as published; f is a probability that may be 0 or 1


@dataclass(frozen=True)
class Measure:
    """Range and direction of a measure.

    Attributes:
        name: Column of the tables.
        lowest: Smallest possible value.
        highest: Largest possible value; infinite for COMP, whose limit is ln(number of bins).
        higher_is_better: Whether higher values are better.
    """

    name: str
    lowest: float
    highest: float
    higher_is_better: bool


MEASURES = {
    measure.name: measure
    for measure in (
        # first those in percent, then those up to one, then the one in nats
        Measure("AI", 0.0, 100.0, higher_is_better=True),
        Measure("AD", 0.0, 100.0, higher_is_better=False),
        Measure("AG", 0.0, 100.0, higher_is_better=True),
        Measure("FF", -1.0, 1.0, higher_is_better=True),
        Measure("FidIn", 0.0, 1.0, higher_is_better=True),
        Measure("SPS", 0.0, 1.0, higher_is_better=True),
        Measure("insertion_auc", 0.0, 1.0, higher_is_better=True),
        Measure("deletion_auc", 0.0, 1.0, higher_is_better=False),
        Measure("COMP", 0.0, math.inf, higher_is_better=False),
    )
}


@dataclass(frozen=True)
class MaskScores:
    """Scores of one mask, each of shape (N,), float64; the module defines the measures."""

    FF: torch.Tensor
    AI: torch.Tensor
    AD: torch.Tensor
    AG: torch.Tensor
    FidIn: torch.Tensor

    def __post_init__(self) -> None:
        shapes = {tuple(getattr(self, field.name).shape) for field in fields(self)}
        if len(shapes) != 1 or len(*shapes) != 1:
            raise ValueError(f"Scores must have one value per sample, got the shapes {shapes}.")


def score_masks(
    predict: ForwardPass | Predict,
    features: torch.Tensor,
    target: torch.Tensor,
    masks: Mapping[str, torch.Tensor],
    *,
    baseline: float | torch.Tensor,
    source_compatible: bool = False,
) -> dict[str, MaskScores]:
    """Score masks by the model's predictions for the kept and the removed parts.

    Args:
        predict: Maps features to logits, shape (n, C): a `ForwardPass`, a network or a function.
        features: Shape (N, channels, frames, mel_bins).
        target: Class that was explained, usually the predicted one, shape (N,).
        masks: Masks by name, each of the shape of `features`.
        baseline: Value of silent features, a number or the features of one silent sample.
        source_compatible: Whether AI counts increases due to rounding, as in the published code.
            Otherwise increases up to 1e-6 do not count.

    Returns:
        Scores by mask.

    Raises:
        ValueError: If there is no sample.

    Example:
        >>> logits = lambda x: torch.stack([x.sum((1, 2, 3)), torch.zeros(len(x))], 1)
        >>> masks = {"all": torch.ones(1, 1, 1, 2)}
        >>> features, target = torch.ones(1, 1, 1, 2), torch.tensor([0])
        >>> scores = score_masks(logits, features, target, masks, baseline=0.0)
        >>> round(float(scores["all"].FF), 3), float(scores["all"].AD)
        (0.381, 0.0)
    """
    different = _different(masks)
    parts = (
        part
        for name in different
        for part in apply_mask(features, masks[name], baseline, source_compatible=source_compatible)
    )
    tolerance = 0.0 if source_compatible else _TOLERANCE
    whole, *answers = _probabilities(predict, features, itertools.chain([features], parts))
    f = _of(whole, target)
    scores: dict[str, MaskScores] = {}
    for name, kept, removed in zip(different, answers[::2], answers[1::2], strict=True):
        f_in, f_out = _of(kept, target), _of(removed, target)
        scores[name] = MaskScores(
            FF=f - f_out,
            AI=100 * (f_in > f + tolerance).double(),
            AD=100 * (f - f_in).clamp(min=0) / (f + _EPSILON),
            AG=100 * (f_in - f).clamp(min=0) / (1 - f + _EPSILON),
            FidIn=(kept.argmax(dim=1) == target).double(),
        )
    first = {name: same for same, names in different.items() for name in names}
    return {name: scores[first[name]] for name in masks}


def sparseness(attributions: torch.Tensor) -> torch.Tensor:
    """Gini index of |a|: sum_i (2 i - n - 1) |a|_(i) / (n sum |a|), i from 1 in ascending order.

    Args:
        attributions: Shape (N, ...).

    Returns:
        Shape (N,), in [0, 1), float64; 0 for attributions that explain nothing.

    Example:
        >>> sparseness(torch.tensor([[0.0, 0.0, 0.0, 1.0]]))
        tensor([0.7500], dtype=torch.float64)
    """
    ascending = attributions.flatten(1).abs().double().sort(dim=1).values
    n = ascending.shape[1]
    ranks = torch.arange(1, n + 1, dtype=torch.float64, device=ascending.device)
    gini = ascending @ (2 * ranks - n - 1) / (n * ascending.sum(dim=1))
    return torch.where(explains_nothing(attributions), 0.0, gini).clamp(min=0)


def complexity(attributions: torch.Tensor, *, source_compatible: bool = False) -> torch.Tensor:
    """Entropy of |a| / sum |a| in nats.

    Args:
        attributions: Shape (N, ...), n values per sample.
        source_compatible: Whether attributions that explain nothing get 0, as in the published
            code, instead of ln n.

    Returns:
        Shape (N,), in [0, ln n], float64; ln n for attributions that explain nothing.

    Example:
        >>> complexity(torch.tensor([[1.0, 1.0, 0.0]]))
        tensor([0.6931], dtype=torch.float64)
    """
    magnitude = attributions.flatten(1).abs().double()
    shares = magnitude / magnitude.sum(dim=1, keepdim=True)
    entropy = -torch.special.xlogy(shares, shares).sum(dim=1)
    worst = 0.0 if source_compatible else math.log(magnitude.shape[1])
    return torch.where(explains_nothing(attributions), worst, entropy).clamp(min=0)


@dataclass(frozen=True)
class Curves:
    """Probability of the target as the most important bins are inserted or deleted.

    Attributes:
        shares: Share of the bins inserted or deleted, shape (n_steps + 1,), from 0 to 1.
        insertion: Probabilities from the baseline to the whole sample, shape (N, n_steps + 1).
        deletion: Probabilities from the whole sample to the baseline, shape (N, n_steps + 1).
    """

    shares: torch.Tensor
    insertion: torch.Tensor
    deletion: torch.Tensor

    @property
    def insertion_auc(self) -> torch.Tensor:
        """Area under the insertion curve, shape (N,), in [0, 1]."""
        return torch.trapezoid(self.insertion, self.shares, dim=1)

    @property
    def deletion_auc(self) -> torch.Tensor:
        """Area under the deletion curve, shape (N,), in [0, 1]."""
        return torch.trapezoid(self.deletion, self.shares, dim=1)


def curves(
    predict: ForwardPass | Predict,
    features: torch.Tensor,
    target: torch.Tensor,
    attributions: torch.Tensor,
    *,
    baseline: float | torch.Tensor,
    n_steps: int = 10,
) -> Curves:
    """Insert and delete bins in descending order of attribution.

    Ties go to the bin that is earlier in time, then lower in frequency.

    Args:
        predict: Maps features to logits, shape (n, C): a `ForwardPass`, a network or a function.
        features: Shape (N, channels, frames, mel_bins).
        target: Class that was explained, shape (N,).
        attributions: Shape of `features`.
        baseline: Value of silent features, a number or the features of one silent sample.
        n_steps: Number of steps from no bins to all bins, at least 1.

    Returns:
        Both curves; straight lines for attributions that explain nothing.

    Raises:
        ValueError: If `n_steps` is smaller than 1, or there is no sample.

    Example:
        >>> logits = lambda x: torch.stack([x.sum((1, 2, 3)), torch.zeros(len(x))], 1)
        >>> features, attributions = torch.ones(1, 1, 1, 2), torch.tensor([[[[0.0, 1.0]]]])
        >>> found = curves(
        ...     logits, features, torch.tensor([0]), attributions, baseline=0.0, n_steps=2
        ... )
        >>> found.insertion.numpy().round(3).tolist()
        [[0.5, 0.731, 0.881]]
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be positive, got {n_steps}.")
    nothing = explains_nothing(attributions)
    flat = torch.where(nothing[:, None], 0.0, attributions.flatten(1))
    ranks = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1).view(features.shape)
    n_bins = flat.shape[1]
    counts = [step * n_bins // n_steps for step in range(n_steps + 1)]
    parts = (
        part
        for count in counts
        for part in apply_mask(features, (ranks < count).to(features.dtype), baseline)
    )
    answers = _probabilities(predict, features, parts)
    scores = torch.stack([_of(answer, target) for answer in answers], dim=1)
    shares = torch.tensor(counts, dtype=torch.float64) / n_bins
    insertion, deletion = (
        torch.where(nothing[:, None], torch.lerp(way[:, :1], way[:, -1:], shares.to(way)), way)
        for way in (scores[:, ::2], scores[:, 1::2])
    )
    return Curves(shares.to(insertion.device), insertion, deletion)


def _different(masks: Mapping[str, torch.Tensor]) -> dict[str, list[str]]:
    """Group equal masks under the first of them; usually two or more of the 14 are equal."""
    found: dict[str, list[str]] = {}
    for name, mask in masks.items():
        same = next((other for other in found if torch.equal(masks[other], mask)), name)
        found.setdefault(same, []).append(name)
    return found


def _probabilities(
    predict: ForwardPass | Predict, features: torch.Tensor, inputs: Iterable[torch.Tensor]
) -> list[torch.Tensor]:
    """Probabilities of every element of `inputs`, each of the shape of `features`, float64."""
    if not len(features):
        raise ValueError("There are no samples.")
    forward = forward_pass(predict, features)
    return [logits.double().softmax(dim=1) for logits in forward.stream(inputs)]


def _of(probabilities: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return probabilities.gather(1, target.cpu()[:, None])[:, 0]
