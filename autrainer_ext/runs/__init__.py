"""Saved runs: directories, outputs, tables and names.

Import the module `load` by its own name: it imports the training code of the host, which the other
modules do without.
"""

from .metadata import Columns, read_columns, read_metadata
from .names import column_folder, run_labels
from .outputs import (
    SPLITS,
    RunOutputs,
    iterations_with,
    read_arrays,
    read_class_names,
    read_outputs,
    read_task,
    split_name,
)
from .run import Run, best_iteration, find_runs, matching_runs, read_run

__all__ = [
    "SPLITS",
    "Columns",
    "Run",
    "RunOutputs",
    "best_iteration",
    "column_folder",
    "find_runs",
    "iterations_with",
    "matching_runs",
    "read_arrays",
    "read_class_names",
    "read_columns",
    "read_metadata",
    "read_outputs",
    "read_run",
    "read_task",
    "run_labels",
    "split_name",
]
