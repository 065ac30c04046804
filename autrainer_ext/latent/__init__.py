"""Latent spaces: embeddings of layers, their projections, topology and separability.

`projections` and `persistence` import their libraries late.
"""

from .embeddings import embed, outer_layers, subsample
from .persistence import (
    DiagramSummary,
    diagram_distances,
    persistence_diagrams,
    summarise_diagram,
)
from .projections import PROJECTIONS, project
from .separability import nearest_on_other_devices, probe, silhouette

__all__ = [
    "PROJECTIONS",
    "DiagramSummary",
    "diagram_distances",
    "embed",
    "nearest_on_other_devices",
    "outer_layers",
    "persistence_diagrams",
    "probe",
    "project",
    "silhouette",
    "subsample",
    "summarise_diagram",
]
