"""Compact networks for the classification of spectrograms."""

from .cp_mobile import CPMobile
from .dcase2022_baseline import DCASE2022Baseline
from .fusion import fuse_batch_norms
from .shifted_logits import ShiftedLogits

__all__ = ["CPMobile", "DCASE2022Baseline", "ShiftedLogits", "fuse_batch_norms"]
