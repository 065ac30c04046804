"""Attributors by name, as configurations and the command line spell them.

`NAME` or, for explainers made of segments, `NAME-SEGMENTER`, as in `lime-onsets`; and
`permuted-NAME` for the maps of any of them in random order.
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
    # wrong values are told by the completeness gap of the tables
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
    """The attributor of a name with its settings filled in.

    Args:
        name: See the module.
        baseline: Features of silence, for those that need them.
        seed: Seed, for those that draw random numbers.
        layer: Layer for Grad-CAM. Default: a localising one.

    Raises:
        ValueError: If there is no such explainer, or it is not made of segments.
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
    settings = {"baseline": baseline, "seed": seed, "layer": layer}
    if segmenter:
        if "segmenter" not in takes or segmenter not in SEGMENTERS:
            raise ValueError(
                f"There is no explainer '{name}': segments are {', '.join(SEGMENTERS)}, of "
                f"{', '.join([*_OWN_SEGMENTER, 'random'])}."
            )
        settings["segmenter"] = SEGMENTERS[segmenter]
    return functools.partial(
        explainer, **{key: value for key, value in settings.items() if key in takes}
    )


def is_complete(name: str) -> bool:
    """Whether the maps of an explainer promise to add up to f(features) - f(silence)."""
    return name.removeprefix(_PERMUTED).partition("-")[0] in _COMPLETE


def floor_of(name: str) -> str:
    """Random explainer that the maps of `name` are read against: of bins, or of its segments."""
    plain, _, segmenter = name.removeprefix(_PERMUTED).partition("-")
    segmenter = segmenter or _OWN_SEGMENTER.get(plain)
    is_random_order = name.startswith(_PERMUTED)  # a permuted map has no segments left
    return f"random-{segmenter}" if segmenter and not is_random_order else "random"


def with_floors(names: Sequence[str]) -> list[str]:
    """Names of explainers and of the random ones they are read against, each once."""
    floors = [floor_of(name) for name in names]
    return list(dict.fromkeys([*names, *floors]))
