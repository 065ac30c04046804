"""Everything that is asked about one clip: its maps, and how faithful they are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

from .attributors.contract import Attributor, completeness_gap, evaluating
from .attributors.registry import is_complete
from .fidelity import complexity, curves, score_masks, sparseness
from .masks import explains_nothing, make_masks


@dataclass(frozen=True)
class ExplanationSettings:
    """What is asked about every clip.

    Attributes:
        explainers: Attributors by name.
        masks: Names of masks.
        baseline: Features of silence.
        batch_size: Inputs the network gets at a time.
        curve_steps: Steps of the insertion and deletion curves.
        source_compatible: Whether masks, AI, SPS and COMP are those of the published code: no
            tolerance for AI, and SPS and COMP of the masks instead of the attributions.
    """

    explainers: Mapping[str, Attributor]
    masks: Sequence[str]
    baseline: float | torch.Tensor
    batch_size: int = 16
    curve_steps: int = 10
    source_compatible: bool = False


@dataclass(frozen=True)
class Explained:
    """One clip.

    Attributes:
        prediction: Class with the highest probability, the one that is explained.
        confidence: Its probability.
        attributions: Map of every explainer, shape (channels, frames, mel_bins).
        rows: One dict per explainer and mask: `explainer`, `mask`, every measure,
            `completeness_gap` (nan for methods that promise no sum), `explains_nothing`.
    """

    prediction: int
    confidence: float
    attributions: dict[str, torch.Tensor]
    rows: list[dict]


def explain_clip(
    model: nn.Module, features: torch.Tensor, protocol: ExplanationSettings
) -> Explained:
    """Explain what a network predicts for a clip and score the explanations.

    Args:
        model: Network from features to logits.
        features: Shape (1, channels, frames, mel_bins).
        protocol: What is asked.

    Returns:
        Maps and scores. A map that explains nothing keeps nothing and has the worst scores.
    """
    with evaluating(model), torch.no_grad():
        probabilities = model(features).double().softmax(dim=1)
        target = probabilities.argmax(dim=1)
        maps, rows = {}, []
        for name, explainer in protocol.explainers.items():
            maps[name] = explainer(model, features, target)
            rows += _score(model, features, target, name, maps[name], protocol)
    return Explained(
        prediction=int(target),
        confidence=float(probabilities.max()),
        attributions={name: values[0] for name, values in maps.items()},
        rows=rows,
    )


def _score(
    model: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    name: str,
    attributions: torch.Tensor,
    protocol: ExplanationSettings,
) -> list[dict]:
    published = protocol.source_compatible
    settings = {"baseline": protocol.baseline, "batch_size": protocol.batch_size}
    masks = make_masks(attributions, protocol.masks, source_compatible=published)
    tolerance = 0.0 if published else 1e-6
    scores = score_masks(model, features, target, masks, tolerance=tolerance, **settings)
    steps = protocol.curve_steps
    ways = curves(model, features, target, attributions, n_steps=steps, **settings)
    gap = torch.tensor([torch.nan])
    if is_complete(name):
        gap = completeness_gap(model, features, target, attributions, baseline=protocol.baseline)
    rows = []
    for mask in protocol.masks:
        judged = masks[mask] if published else attributions
        values = asdict(scores[mask]) | {
            "SPS": sparseness(judged),
            "COMP": complexity(judged, source_compatible=published),
            "insertion_auc": ways.insertion_auc,
            "deletion_auc": ways.deletion_auc,
            "completeness_gap": gap,
        }
        row = {"explainer": name, "mask": mask} | {key: float(v) for key, v in values.items()}
        rows.append(row | {"explains_nothing": bool(explains_nothing(attributions))})
    return rows
