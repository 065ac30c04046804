"""Reading run directories and writing model directories.

Only `load` and `model_directory` import the host; they are imported by their own names.
"""

from .metadata import read_metadata
from .names import run_labels
from .outputs import (
    SPLITS,
    RunOutputs,
    iterations_with,
    read_class_names,
    read_outputs,
    split_name,
)
from .run import Run, best_iteration, find_runs, read_run

__all__ = [
    "SPLITS",
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
    "split_name",
]
