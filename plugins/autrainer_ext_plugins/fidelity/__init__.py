"""Plugin `Fidelity` and the work of `explain`: how faithful explanations are."""

from .plugin import Fidelity

__all__ = ["Fidelity"]
