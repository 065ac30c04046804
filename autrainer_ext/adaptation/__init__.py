"""Test-time adaptation: losses without labels, methods, streams, protocols and the decision."""

from .decision import Adaptation, Decision, adapt_to
from .procedure import AdaptationMethod, Step
from .protocol import Outcome, Protocol, adapt, predict, settle
from .registry import ADAPTATION_METHODS, make_method
from .streaming import AdaptiveStream

__all__ = [
    "ADAPTATION_METHODS",
    "Adaptation",
    "AdaptationMethod",
    "AdaptiveStream",
    "Decision",
    "Outcome",
    "Protocol",
    "Step",
    "adapt",
    "adapt_to",
    "make_method",
    "predict",
    "settle",
]
