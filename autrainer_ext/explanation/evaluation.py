"""Explanations of one clip: attributions, masks and fidelity scores."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

from autrainer_ext.serving.forward import ForwardPass, forward_pass

from .attributors.contract import Attributor, completeness_gap
from .attributors.registry import is_complete, make_explainer, with_floors
from .fidelity import complexity, curves, score_masks, sparseness
from .masks import explains_nothing, make_masks
from .settings import ExplainSettings


@dataclass(frozen=True)
class ClipSettings:
    """How one clip is explained and scored: `ExplainSettings` resolved to functions.

    Attributes:
        explainers: Attributors by name.
        masks: Names of the masks that are scored.
        baseline: Value of silent features, a number or the features of one silent clip.
        unscored_masks: Names of further masks that are computed but not scored.
        curve_steps: Number of steps of the insertion and deletion curves.
        source_compatible: Whether masks, AI, SPS and COMP are those of the published code: no
            tolerance for AI, and SPS and COMP of the masks instead of the attributions.
    """

    explainers: Mapping[str, Attributor]
    masks: Sequence[str]
    baseline: float | torch.Tensor
    unscored_masks: Sequence[str] = ()
    curve_steps: int = 10
    source_compatible: bool = False

    @classmethod
    def resolve(cls, settings: ExplainSettings, baseline: float) -> "ClipSettings":
        """Replace the names of explainers by functions and add the random floors.

        Args:
            settings: Settings as the user gave them.
            baseline: Value of silent features: `settings.baseline`, or that of the front end.

        Returns:
            Settings of `explain_clip`.

        Example:
            >>> names = ExplainSettings(explainers=("lime",), masks=("bin",), listen=("topK_5",))
            >>> resolved = ClipSettings.resolve(names, baseline=-100.0)
            >>> list(resolved.explainers), resolved.masks, resolved.unscored_masks
            (['lime', 'random-quickshift'], ('bin',), ('topK_5',))
        """
        shown = [*settings.listen, settings.panel_mask]
        return cls(
            explainers={
                name: make_explainer(
                    name, baseline=baseline, seed=settings.seed, layer=settings.layer
                )
                for name in with_floors(settings.explainers)
            },
            masks=settings.scored_masks,
            baseline=baseline,
            unscored_masks=tuple(
                name for name in dict.fromkeys(shown) if name not in settings.scored_masks
            ),
            source_compatible=settings.source_compatible,
        )


@dataclass(frozen=True)
class Explained:
    """Explanations and scores of one clip.

    Attributes:
        prediction: Index of the class with the highest probability, which is explained.
        confidence: Probability of that class.
        attributions: Attributions per explainer, shape (channels, frames, mel_bins).
        masks: Masks per explainer and mask name, scored or not, each of the shape of the
            attributions.
        rows: One dict per explainer and scored mask: `explainer`, `mask`, every measure,
            `completeness_gap` (nan for methods without a defined sum), `explains_nothing`.
    """

    prediction: int
    confidence: float
    attributions: dict[str, torch.Tensor]
    masks: dict[str, dict[str, torch.Tensor]]
    rows: list[dict]


def explain_clip(
    model: nn.Module | ForwardPass, features: torch.Tensor, settings: ClipSettings
) -> Explained:
    """Explain the prediction of a network for one clip and score the explanations.

    Args:
        model: Network from features to logits, or a `ForwardPass` of one, which is faster.
        features: Shape (1, channels, frames, mel_bins).
        settings: Explainers, masks and how they are scored.

    Returns:
        Attributions, masks and scores. Attributions that explain nothing keep nothing and get the
        worst scores.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> names = ExplainSettings(explainers=("saliency",), masks=("bin",), listen=())
        >>> settings = ClipSettings.resolve(names, baseline=0.0)
        >>> explained = explain_clip(model, torch.ones(1, 1, 2, 2), settings)
        >>> [(row["explainer"], row["mask"]) for row in explained.rows]
        [('saliency', 'bin'), ('random', 'bin')]
    """
    forward = forward_pass(model, features)
    probabilities = forward(features).double().softmax(dim=1)
    target = probabilities.argmax(dim=1)
    attributions, masks, rows = {}, {}, []
    for name, explainer in settings.explainers.items():
        values = explainer(forward, features, target)
        made = make_masks(
            values,
            [*settings.masks, *settings.unscored_masks],
            source_compatible=settings.source_compatible,
        )
        rows += _score(forward, features, target, name, values, made, settings)
        attributions[name] = values[0]
        masks[name] = {mask: kept[0] for mask, kept in made.items()}
    return Explained(
        prediction=int(target),
        confidence=float(probabilities.max()),
        attributions=attributions,
        masks=masks,
        rows=rows,
    )


def _score(
    forward: ForwardPass,
    features: torch.Tensor,
    target: torch.Tensor,
    name: str,
    attributions: torch.Tensor,
    masks: Mapping[str, torch.Tensor],
    settings: ClipSettings,
) -> list[dict]:
    """Score the attributions of one explainer with every mask of `settings.masks`."""
    published = settings.source_compatible
    baseline = settings.baseline
    scores = score_masks(
        forward,
        features,
        target,
        {mask: masks[mask] for mask in settings.masks},
        baseline=baseline,
        tolerance=0.0 if published else 1e-6,
    )
    found = curves(
        forward,
        features,
        target,
        attributions,
        baseline=baseline,
        n_steps=settings.curve_steps,
    )
    gap = torch.tensor([torch.nan])
    if is_complete(name):
        gap = completeness_gap(forward, features, target, attributions, baseline=baseline)
    rows = []
    for mask in settings.masks:
        judged = masks[mask] if published else attributions
        values = asdict(scores[mask]) | {
            "SPS": sparseness(judged),
            "COMP": complexity(judged, source_compatible=published),
            "insertion_auc": found.insertion_auc,
            "deletion_auc": found.deletion_auc,
            "completeness_gap": gap,
        }
        row = {"explainer": name, "mask": mask} | {key: float(v) for key, v in values.items()}
        rows.append(row | {"explains_nothing": bool(explains_nothing(attributions))})
    return rows
