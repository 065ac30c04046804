"""Adaptation methods by name."""

from typing import Any

from torch import nn

from autrainer_ext.errors import unknown_name

from .lame import LAME
from .methods import EATA, SHOT, BatchNormStatistics, Source, Tent
from .ntta import NTTA
from .procedure import AdaptationMethod
from .sar import SAR
from .t3a import T3A

ADAPTATION_METHODS: dict[str, type[AdaptationMethod]] = {
    method.name: method
    for method in (Source, BatchNormStatistics, Tent, SHOT, EATA, SAR, LAME, T3A, NTTA)
}


def make_method(
    name: str, model: nn.Module, options: dict[str, Any] | None = None
) -> AdaptationMethod:
    """Create an adaptation method by name.

    Args:
        name: Name of the method, one of `ADAPTATION_METHODS`.
        model: Network to adapt in place.
        options: Settings of the method, its keyword arguments. Default: none.

    Returns:
        The method, ready for its first batch.

    Raises:
        ValueError: If the method or a setting does not exist, or the network does not suit the
            method.
    """
    if name not in ADAPTATION_METHODS:
        raise unknown_name("adaptation method", name, ADAPTATION_METHODS)
    try:
        return ADAPTATION_METHODS[name](model, **(options or {}))
    except TypeError as error:
        raise ValueError(f"Method '{name}': {error}") from error
