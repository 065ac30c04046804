"""Test-time adaptation: losses without labels, methods, streams, protocols and corruptions."""

from torch import nn

from autrainer_ext.errors import unknown_name

from .methods import EATA, LAME, SAR, SHOT, BatchNormStatistics, Source, Tent
from .ntta import NTTA
from .procedure import AdaptationMethod, Step
from .protocol import Outcome, Protocol, adapt, predict, settle

ADAPTATION_METHODS: dict[str, type[AdaptationMethod]] = {
    method.name: method
    for method in (Source, BatchNormStatistics, Tent, SHOT, EATA, SAR, LAME, NTTA)
}

__all__ = [
    "ADAPTATION_METHODS",
    "AdaptationMethod",
    "Outcome",
    "Protocol",
    "Step",
    "adapt",
    "make_method",
    "predict",
    "settle",
]


def make_method(name: str, model: nn.Module, options: dict | None = None) -> AdaptationMethod:
    """The method of a name.

    Args:
        name: One of `ADAPTATION_METHODS`.
        model: Network it is to adapt, in place.
        options: Its settings.

    Raises:
        ValueError: If there is no such method or setting, or the network does not suit it.
    """
    if name not in ADAPTATION_METHODS:
        raise unknown_name("adaptation method", name, ADAPTATION_METHODS)
    try:
        return ADAPTATION_METHODS[name](model, **(options or {}))
    except TypeError as error:
        raise ValueError(f"Method '{name}': {error}") from error
