"""Attributors: contribution of every bin of the features to a class (see `contract`)."""

from .cam import grad_cam, localising_layer
from .contract import Attributor, completeness_gap
from .floor import permuted, random
from .gradients import (
    gradient_shap,
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from .perturbation import kernel_shap, lime, occlusion

__all__ = [
    "Attributor",
    "completeness_gap",
    "grad_cam",
    "gradient_shap",
    "input_x_gradient",
    "integrated_gradients",
    "kernel_shap",
    "lime",
    "localising_layer",
    "occlusion",
    "permuted",
    "random",
    "saliency",
    "smooth_grad",
]
