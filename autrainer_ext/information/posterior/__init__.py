"""Posterior of the information measures of confusion matrices, and intervals from it."""

from .estimate import N_DRAWS, Estimate, estimate
from .limits import limits
from .quantities import QUANTITIES, TRANSFORMS, table_quantities
from .support import present_classes, samples_needed

__all__ = [
    "N_DRAWS",
    "QUANTITIES",
    "TRANSFORMS",
    "Estimate",
    "estimate",
    "limits",
    "present_classes",
    "samples_needed",
    "table_quantities",
]
