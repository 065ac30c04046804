"""Networks for acoustic classification."""

from .cp_mobile import CPMobile
from .fusion import fuse_batch_norms

__all__ = ["CPMobile", "fuse_batch_norms"]
