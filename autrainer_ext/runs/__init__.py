"""Reading run directories and writing model directories.

Only `load` and `model_directory` import the host; they are imported by their own names.
"""

from .labels import run_labels
from .metadata import read_metadata
from .outputs import RunOutputs, iterations_with, read_class_names, read_outputs
from .run import Run, best_iteration, find_runs, read_run

__all__ = [
    "Run",
    "RunOutputs",
    "best_iteration",
    "find_runs",
    "iterations_with",
    "read_class_names",
    "read_metadata",
    "read_outputs",
    "read_run",
    "run_labels",
]
