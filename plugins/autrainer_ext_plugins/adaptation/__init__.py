"""Plugin `Adaptation`: gains of test-time adaptation on corrupted test recordings."""

from .plugin import Adaptation

__all__ = ["Adaptation"]
