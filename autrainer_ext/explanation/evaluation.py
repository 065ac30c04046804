"""Explanations of one clip: attributions, masks and fidelity scores."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

from autrainer_ext.serving.forward import ForwardPass, forward_pass

from .attributors.contract import completeness_gap
from .attributors.floor import clip_generator, random
from .attributors.registry import Explainer, make_explainer
from .fidelity import Curves, complexity, curves, score_masks, sparseness
from .masks import explains_nothing, make_masks
from .segments import Segmenter
from .settings import ExplainSettings
from .size_curves import CURVE_MEASURES, SizeCurves, size_curves
from .sizes import equal_masks, kept_shares, levels

FLOORED = ("FF", "AI", "AD", "AG", "FidIn", "insertion_auc", "deletion_auc")
_N_FLOORS = 3  # random masks per mask


@dataclass(frozen=True)
class ClipSettings:
    """How one clip is explained and scored: `ExplainSettings` resolved to functions.

    Attributes:
        explainers: Explainers by name.
        masks: Names of the masks that are scored.
        baseline: Value of silent features, a number or the features of one silent clip.
        unscored_masks: Names of further masks that are computed but not scored.
        curve_steps: Number of steps of the insertion and deletion curves.
        significant: Whether masks ignore attributions within 1.96 standard errors of zero.
        source_compatible: Whether masks, AI, SPS and COMP are those of the published code: no
            tolerance for AI, and SPS and COMP of the masks instead of the attributions.
        seed: Seed of the random masks.
    """

    explainers: Mapping[str, Explainer]
    masks: Sequence[str]
    baseline: float | torch.Tensor
    unscored_masks: Sequence[str] = ()
    curve_steps: int = 10
    significant: bool = False
    source_compatible: bool = False
    seed: int = 0

    @classmethod
    def resolve(cls, settings: ExplainSettings, baseline: float) -> "ClipSettings":
        """Replace the names of explainers by functions.

        Args:
            settings: Settings as the user gave them.
            baseline: Value of silent features: `settings.baseline`, or that of the front end.

        Returns:
            Settings of `explain_clip`.

        Example:
            >>> names = ExplainSettings(explainers=("lime",), masks=("bin",), listen=("topK_5",))
            >>> resolved = ClipSettings.resolve(names, baseline=-100.0)
            >>> list(resolved.explainers), resolved.masks, resolved.unscored_masks
            (['lime'], ('bin',), ('topK_5',))
        """
        shown = [*settings.listen, settings.panel_mask]
        return cls(
            explainers={
                name: make_explainer(
                    name,
                    baseline=baseline,
                    seed=settings.seed,
                    layer=settings.layer,
                    n_samples=settings.samples,
                    target_error=settings.target_error,
                    source_compatible=settings.source_compatible,
                )
                for name in dict.fromkeys(settings.explainers)
            },
            masks=settings.scored_masks,
            baseline=baseline,
            unscored_masks=tuple(
                name for name in dict.fromkeys(shown) if name not in settings.scored_masks
            ),
            significant=settings.significant,
            source_compatible=settings.source_compatible,
            seed=settings.seed,
        )


@dataclass(frozen=True)
class Explained:
    """Explanations and scores of one clip.

    Attributes:
        prediction: Index of the class with the highest probability, which is explained.
        confidence: Probability of that class.
        attributions: Attributions per explainer, shape (channels, frames, mel_bins).
        errors: Standard errors per explainer that samples, of the shape of the attributions.
        masks: Masks per explainer and mask name, scored or not, each of the shape of the
            attributions.
        rows: One dict per explainer and scored mask: `explainer`, `mask`, every measure, those of
            `FLOORED` also of random masks of equal size (`..._floor`), the kept shares (`sizes`),
            `completeness_gap` (nan for methods without a defined sum), what is known about the
            sampling (`attributors.estimate.Estimate`), `explains_nothing`.
        size_rows: One dict per explainer and share of the level: `explainer`, `kept_energy_share`,
            AD, FidIn, FF and those of bins, or segments, in random order (`..._floor`).
    """

    prediction: int
    confidence: float
    attributions: dict[str, torch.Tensor]
    errors: dict[str, torch.Tensor]
    masks: dict[str, dict[str, torch.Tensor]]
    rows: list[dict]
    size_rows: list[dict]


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
        [('saliency', 'bin')]
    """
    forward = forward_pass(model, features)
    probabilities = forward(features).double().softmax(dim=1)
    scorer = _Scorer(forward, features, probabilities.argmax(dim=1), settings)
    attributions, errors, masks = {}, {}, {}
    rows: list[dict] = []
    size_rows: list[dict] = []
    for name, explainer in settings.explainers.items():
        segments = scorer.segments(explainer)
        known = explainer if segments is None else explainer.with_segments(segments)
        found = known.estimate(forward, features, scorer.target)
        values = found.significant if settings.significant else found.attributions
        made = make_masks(
            values,
            [*settings.masks, *settings.unscored_masks],
            source_compatible=settings.source_compatible,
        )
        sampling = {
            "n_segments": found.n_segments,
            "n_samples": found.n_samples,
            "relative_error": found.relative_error,
            "agreement": found.agreement,
        }
        rows += [
            {"explainer": name} | row | sampling
            for row in scorer.rows(explainer, values, made, segments)
        ]
        size_rows += [{"explainer": name} | row for row in scorer.size_rows(values, segments)]
        attributions[name] = found.attributions[0]
        if found.errors is not None:
            errors[name] = found.errors[0]
        masks[name] = {mask: kept[0] for mask, kept in made.items()}
    return Explained(
        prediction=int(scorer.target),
        confidence=float(probabilities.max()),
        attributions=attributions,
        errors=errors,
        masks=masks,
        rows=rows,
        size_rows=size_rows,
    )


class _Scorer:
    """Scores of explanations of one clip, beside those of random explanations."""

    def __init__(
        self,
        forward: ForwardPass,
        features: torch.Tensor,
        target: torch.Tensor,
        settings: ClipSettings,
    ) -> None:
        self.forward, self.features, self.target = forward, features, target
        self.settings = settings
        self.level = levels(features[0], settings.baseline)
        self._segments: dict[Segmenter, torch.Tensor] = {}
        self._random: dict[int, tuple[Curves, SizeCurves]] = {}

    def segments(self, explainer: Explainer) -> torch.Tensor | None:
        """Segments that an explainer works on; each segmenter is called once."""
        segmenter = explainer.segmenter
        if segmenter is None:
            return None
        if segmenter not in self._segments:
            self._segments[segmenter] = segmenter(self.features[0].cpu())
        return self._segments[segmenter]

    def rows(
        self,
        explainer: Explainer,
        attributions: torch.Tensor,
        masks: Mapping[str, torch.Tensor],
        segments: torch.Tensor | None,
    ) -> list[dict]:
        """One dict per mask of the settings."""
        published, baseline = self.settings.source_compatible, self.settings.baseline
        scored = {mask: masks[mask] for mask in self.settings.masks}
        floors = self._equal_masks(scored, segments)
        drawn = {f"{mask} {i}": each for mask in floors for i, each in enumerate(floors[mask])}
        scores = score_masks(
            self.forward,
            self.features,
            self.target,
            scored | drawn,
            baseline=baseline,
            source_compatible=published,
        )
        found, by_chance = self._curves(attributions), self._random_curves(segments)[0]
        gap = torch.tensor([torch.nan])
        if explainer.is_complete:
            gap = completeness_gap(
                self.forward, self.features, self.target, attributions, baseline=baseline
            )
        rows = []
        for mask, made in scored.items():
            judged = made if published else attributions
            values = asdict(scores[mask]) | {
                "SPS": sparseness(judged),
                "COMP": complexity(judged, source_compatible=published),
                "insertion_auc": found.insertion_auc,
                "deletion_auc": found.deletion_auc,
            }
            random_scores = [asdict(scores[f"{mask} {i}"]) for i in range(_N_FLOORS)]
            beneath = {
                name: sum(float(each[name]) for each in random_scores) / _N_FLOORS
                for name in random_scores[0]
            } | {
                "insertion_auc": float(by_chance.insertion_auc),
                "deletion_auc": float(by_chance.deletion_auc),
            }
            rows.append(
                {"mask": mask}
                | {name: float(value) for name, value in values.items()}
                | {f"{name}_floor": beneath[name] for name in FLOORED}
                | self._shares(made, floors[mask])
                | {
                    "completeness_gap": float(gap),
                    "explains_nothing": bool(explains_nothing(attributions)),
                }
            )
        return rows

    def size_rows(self, attributions: torch.Tensor, segments: torch.Tensor | None) -> list[dict]:
        """One dict per share of the level."""
        found, by_chance = self._size_curves(attributions), self._random_curves(segments)[1]
        return [
            {"kept_energy_share": share}
            | {name: float(found.scores[name][i]) for name in CURVE_MEASURES}
            | {f"{name}_floor": float(by_chance.scores[name][i]) for name in CURVE_MEASURES}
            for i, share in enumerate(found.shares.tolist())
        ]

    def _equal_masks(
        self, masks: Mapping[str, torch.Tensor], segments: torch.Tensor | None
    ) -> dict[str, list[torch.Tensor]]:
        drawn = equal_masks(
            {name: mask[0] for name, mask in masks.items()},
            self.level,
            segments=segments,
            n_masks=_N_FLOORS,
            generator=clip_generator(self.features[0], self.settings.seed),
        )
        return {name: [each[None] for each in random_masks] for name, random_masks in drawn.items()}

    def _shares(self, mask: torch.Tensor, floors: Sequence[torch.Tensor]) -> dict[str, float]:
        kept = kept_shares(mask[0], self.level)
        equal = [kept_shares(floor[0], self.level) for floor in floors]
        return {
            "kept_bins_share": kept.bins,
            "kept_sounding_share": kept.sounding,
            "kept_energy_share": kept.energy,
            "floor_sounding_share": sum(each.sounding for each in equal) / len(equal),
            "floor_energy_share": sum(each.energy for each in equal) / len(equal),
        }

    def _random_curves(self, segments: torch.Tensor | None) -> tuple[Curves, SizeCurves]:
        """Curves of bins, or of segments, in random order."""
        key = id(segments)
        if key not in self._random:
            segmenter = None if segments is None else (lambda _features: segments)
            order = random(
                self.forward,
                self.features,
                self.target,
                segmenter=segmenter,
                seed=self.settings.seed,
            )
            self._random[key] = self._curves(order), self._size_curves(order)
        return self._random[key]

    def _curves(self, attributions: torch.Tensor) -> Curves:
        return curves(
            self.forward,
            self.features,
            self.target,
            attributions,
            baseline=self.settings.baseline,
            n_steps=self.settings.curve_steps,
        )

    def _size_curves(self, attributions: torch.Tensor) -> SizeCurves:
        return size_curves(
            self.forward,
            self.features,
            self.target,
            attributions,
            baseline=self.settings.baseline,
        )
