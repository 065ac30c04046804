"""Attributors by the names used in configurations and on the command line.

A name is `NAME`; `NAME-SEGMENTER` for explainers of segments, such as `lime-onsets`; or
`permuted-NAME` for the attributions of any of them in random order.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.segments import SEGMENTERS, Segmenter, quickshift
from autrainer_ext.serving.forward import ForwardPass

from .adapters import deep_shap, gradient_shap_library, lime_image
from .cam import grad_cam
from .contract import Baseline
from .estimate import Estimate
from .floor import permuted, random
from .gradients import (
    gradient_shap,
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from .perturbation import (
    N_SAMPLES,
    TARGET_ERROR,
    estimate_kernel_shap,
    estimate_lime,
    kernel_shap,
    lime,
    occlusion,
)

EXPLAINERS: dict[str, Callable] = {
    "saliency": saliency,
    "input_x_gradient": input_x_gradient,
    "smooth_grad": smooth_grad,
    "integrated_gradients": integrated_gradients,
    "gradient_shap": gradient_shap,
    "grad_cam": grad_cam,
    "grad_cam_signed": functools.partial(grad_cam, rectify=False),
    "lime": lime,
    "kernel_shap": kernel_shap,
    "occlusion": occlusion,
    "random": random,
    # the tables report wrong values as completeness gap
    "deep_shap": functools.partial(deep_shap, tolerance=math.inf),
    "gradient_shap_library": gradient_shap_library,
    "lime_image": lime_image,
}

_ESTIMATORS: dict[str, Callable[..., Estimate]] = {
    "lime": estimate_lime,
    "kernel_shap": estimate_kernel_shap,
}
_OWN_SEGMENTER = {
    "lime": "quickshift",
    "lime_image": "quickshift",
    "kernel_shap": "grid",
    "occlusion": "grid",
}
_COMPLETE = {
    "integrated_gradients",
    "gradient_shap",
    "kernel_shap",
    "deep_shap",
    "gradient_shap_library",
}
_UNITS = {
    "lime": "probability",
    "lime_image": "probability",
    "saliency": "logit per unit of the features",
    "smooth_grad": "logit per unit of the features",
    "grad_cam": "no unit",
    "grad_cam_signed": "no unit",
    "random": "no unit",
}
_PERMUTED = "permuted-"


@dataclass(frozen=True)
class Explainer:
    """An attributor with its settings.

    Attributes:
        attribute: Attributor: function of (model, features, target, settings).
        settings: Keyword arguments of the function.
        segmenter: Function that divides a clip into the segments that the attributor works on, or
            None if it works on bins.
        is_complete: Whether the attributions should sum to f(features) - f(baseline).
        sample: Function that computes an `Estimate` for one clip, of methods that sample.
    """

    attribute: Callable[..., torch.Tensor]
    settings: Mapping[str, object]
    segmenter: Segmenter | None = None
    is_complete: bool = False
    sample: Callable[..., Estimate] | None = None

    def __call__(
        self, model: nn.Module | ForwardPass, features: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        """Attributions for any number of clips (see `contract`)."""
        return self.attribute(model, features, target, **self._all_settings)

    def estimate(
        self, model: nn.Module | ForwardPass, features: torch.Tensor, target: torch.Tensor
    ) -> Estimate:
        """Attributions of one clip, with standard errors where the method samples."""
        if self.sample is None:
            return Estimate(self(model, features, target))
        return self.sample(model, features, target, **self._all_settings)

    def with_segments(self, segments: torch.Tensor) -> "Explainer":
        """The same explainer for a clip whose segments, shape (frames, mel_bins), are known."""
        return replace(self, segmenter=lambda _features: segments)

    @property
    def _all_settings(self) -> dict[str, object]:
        segmenter = {} if self.segmenter is None else {"segmenter": self.segmenter}
        return {**self.settings, **segmenter}


def make_explainer(
    name: str,
    *,
    baseline: Baseline,
    seed: int = 0,
    layer: str | None = None,
    n_samples: int = N_SAMPLES,
    target_error: float = TARGET_ERROR,
    source_compatible: bool = False,
) -> Explainer:
    """Look up an attributor and bind its settings.

    Args:
        name: Name of an explainer (see the module).
        baseline: Value of silent features, for attributors that use a baseline.
        seed: Seed, for attributors that draw random numbers.
        layer: Name of the layer for Grad-CAM. Default: `cam.localising_layer`.
        n_samples: Largest number of coalitions, for `lime` and `kernel_shap`.
        target_error: Accepted error of the same (see `perturbation`).
        source_compatible: Whether to use the settings of the published study: `grad_cam` is not
            rectified, LIME replaces segments by their means, and quick shift has its usual settings
            in short clips, too.

    Returns:
        Function of (model, features, target).

    Raises:
        ValueError: If the explainer or segmenter does not exist, or the explainer has no segments.

    Example:
        >>> sorted(make_explainer("lime-bands", baseline=-100.0, seed=1).settings)
        ['baseline', 'n_samples', 'seed', 'target_error']
    """
    is_permuted = name.startswith(_PERMUTED)
    name = name.removeprefix(_PERMUTED)
    plain, _, segments = name.partition("-")
    if plain not in EXPLAINERS:
        raise unknown_name("explainer", name, EXPLAINERS)
    sample = _ESTIMATORS.get(plain)
    takes = inspect.signature(sample or EXPLAINERS[plain]).parameters
    if segments and ("segmenter" not in takes or segments not in SEGMENTERS):
        divided = [plain] if "segmenter" in takes else [*_OWN_SEGMENTER, "random"]
        known = [segments] if segments in SEGMENTERS else list(SEGMENTERS)
        raise unknown_name("explainer", name, [f"{e}-{part}" for e in divided for part in known])
    settings: dict[str, object] = {"baseline": baseline, "seed": seed, "layer": layer}
    if source_compatible:
        settings |= {"rectify": False, "fill_with_means": True}
    if sample is not None:
        settings |= {"n_samples": n_samples, "target_error": target_error}
    segmenter = SEGMENTERS.get(segments or _OWN_SEGMENTER.get(plain, ""))
    if segmenter is quickshift and source_compatible:
        segmenter = functools.partial(quickshift, min_segments=0)
    explainer = Explainer(
        EXPLAINERS[plain],
        {key: value for key, value in settings.items() if key in takes},
        segmenter,
        plain in _COMPLETE,
        sample,
    )
    if is_permuted:  # permuted attributions have no segments
        return Explainer(permuted(explainer, seed=seed), {}, is_complete=explainer.is_complete)
    return explainer


def unit_of(name: str) -> str:
    """Unit of the attributions of an explainer.

    Example:
        >>> unit_of("lime-onsets"), unit_of("saliency"), unit_of("kernel_shap")
        ('probability', 'logit per unit of the features', 'logit')
    """
    plain = name.removeprefix(_PERMUTED).partition("-")[0]
    return _UNITS.get(plain, "logit")
