"""Training callbacks for the host, as in `callbacks: [autrainer_ext.callbacks.CleanOutputs]`."""

from .clean_outputs import CleanOutputs
from .paired_batches import PairedBatches
from .run_plugins import RunPlugins

__all__ = ["CleanOutputs", "PairedBatches", "RunPlugins"]
