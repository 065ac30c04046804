"""Plugin `LogitAdjustment`: balance a trained classifier by shifting its logits."""

from .plugin import LogitAdjustment

__all__ = ["LogitAdjustment"]
