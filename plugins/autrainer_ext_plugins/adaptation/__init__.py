"""Plugin `Adaptation`: what test-time adaptation gains on corrupted recordings."""

from .plugin import Adaptation

__all__ = ["Adaptation"]
