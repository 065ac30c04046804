"""Plugin `Fidelity` and the work of `explain`: fidelity scores of explanations."""

from .plugin import Fidelity

__all__ = ["Fidelity"]
