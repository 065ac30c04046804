"""Attributors by the names used in configurations and on the command line.

A name is `NAME`; `NAME-SEGMENTER` for explainers of segments, such as `lime-onsets`; or
`permuted-NAME` for the attributions of any of them in random order.
"""

import functools
import inspect
import math
from collections.abc import Callable, Sequence

from autrainer_ext.errors import unknown_name
from autrainer_ext.explanation.segments import SEGMENTERS

from .adapters import deep_shap, gradient_shap_library, lime_image
from .cam import grad_cam
from .contract import Attributor, Baseline
from .floor import permuted, random
from .gradients import (
    gradient_shap,
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from .perturbation import kernel_shap, lime, occlusion

EXPLAINERS: dict[str, Callable] = {
    "saliency": saliency,
    "input_x_gradient": input_x_gradient,
    "smooth_grad": smooth_grad,
    "integrated_gradients": integrated_gradients,
    "gradient_shap": gradient_shap,
    "grad_cam": grad_cam,
    "lime": lime,
    "kernel_shap": kernel_shap,
    "occlusion": occlusion,
    "random": random,
    # the tables report wrong values as completeness gap
    "deep_shap": functools.partial(deep_shap, tolerance=math.inf),
    "gradient_shap_library": gradient_shap_library,
    "lime_image": lime_image,
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
_PERMUTED = "permuted-"


def make_explainer(
    name: str, *, baseline: Baseline, seed: int = 0, layer: str | None = None
) -> Attributor:
    """Look up an attributor and bind its settings.

    Args:
        name: Name of an explainer (see the module).
        baseline: Value of silent features, for attributors that use a baseline.
        seed: Seed, for attributors that draw random numbers.
        layer: Name of the layer for Grad-CAM. Default: `cam.localising_layer`.

    Returns:
        Function of (model, features, target).

    Raises:
        ValueError: If the explainer or segmenter does not exist, or the explainer has no segments.

    Example:
        >>> sorted(make_explainer("lime-bands", baseline=-100.0, seed=1).keywords)
        ['baseline', 'seed', 'segmenter']
    """
    if name.startswith(_PERMUTED):
        inner = make_explainer(
            name.removeprefix(_PERMUTED), baseline=baseline, seed=seed, layer=layer
        )
        return permuted(inner, seed=seed)
    plain, _, segmenter = name.partition("-")
    if plain not in EXPLAINERS:
        raise unknown_name("explainer", name, EXPLAINERS)
    explainer = EXPLAINERS[plain]
    takes = inspect.signature(explainer).parameters
    settings: dict[str, object] = {"baseline": baseline, "seed": seed, "layer": layer}
    if segmenter:
        if "segmenter" not in takes or segmenter not in SEGMENTERS:
            divided = [plain] if "segmenter" in takes else [*_OWN_SEGMENTER, "random"]
            segments = [segmenter] if segmenter in SEGMENTERS else SEGMENTERS
            known = [f"{each}-{part}" for each in divided for part in segments]
            raise unknown_name("explainer", name, known)
        settings["segmenter"] = SEGMENTERS[segmenter]
    return functools.partial(
        explainer, **{key: value for key, value in settings.items() if key in takes}
    )


def is_complete(name: str) -> bool:
    """Whether the attributions of an explainer should sum to f(features) - f(baseline).

    Example:
        >>> is_complete("kernel_shap-bands"), is_complete("lime")
        (True, False)
    """
    return name.removeprefix(_PERMUTED).partition("-")[0] in _COMPLETE


def floor_of(name: str) -> str:
    """Name of the random explainer an explainer is compared with: per bin, or per segment.

    Example:
        >>> floor_of("saliency"), floor_of("lime-onsets")
        ('random', 'random-onsets')
    """
    plain, _, segmenter = name.removeprefix(_PERMUTED).partition("-")
    segmenter = segmenter or _OWN_SEGMENTER.get(plain, "")
    is_random_order = name.startswith(_PERMUTED)  # permuted attributions have no segments
    return f"random-{segmenter}" if segmenter and not is_random_order else "random"


def with_floors(names: Sequence[str]) -> list[str]:
    """Add the names of the random explainers that explainers are compared with, each once.

    Example:
        >>> with_floors(["lime", "saliency", "random"])
        ['lime', 'saliency', 'random', 'random-quickshift']
    """
    floors = [floor_of(name) for name in names]
    return list(dict.fromkeys([*names, *floors]))
