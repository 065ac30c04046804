"""Settings of the plugin `Adaptation`: methods, protocols and corruptions from a configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autrainer_ext.adaptation import ADAPTATION_METHODS, Protocol
from autrainer_ext.corruptions import ALL_CORRUPTIONS
from autrainer_ext.errors import unknown_name


@dataclass(frozen=True)
class MethodSettings:
    """Adaptation method with its settings.

    Attributes:
        label: Name and settings, as in the tables.
        name: Name of the method.
        options: Settings of the method, its keyword arguments.
    """

    label: str
    name: str
    options: dict[str, Any]


def parse_method(method: str | Mapping[str, Mapping[str, Any] | None]) -> MethodSettings:
    """Parse a method.

    Args:
        method: Name, or {name: settings}.

    Returns:
        Method with its settings.

    Raises:
        ValueError: If the method is unknown or there is more than one name.
    """
    if isinstance(method, str):
        method = {method: None}
    if len(method) != 1:
        raise ValueError(f"A method is a name or {{name: settings}}, got {dict(method)}.")
    ((name, settings),) = method.items()
    if name not in ADAPTATION_METHODS:
        raise unknown_name("adaptation method", name, ADAPTATION_METHODS)
    options = dict(settings or {})
    suffix = " ".join(f"{key}={value}" for key, value in options.items())
    return MethodSettings(f"{name} {suffix}".strip(), name, options)


def parse_protocol(settings: Mapping[str, Any]) -> Protocol:
    """Parse a protocol.

    Args:
        settings: Settings of `Protocol`.

    Returns:
        Protocol.

    Raises:
        ValueError: If a setting does not exist or is out of range.
    """
    try:
        return Protocol(**settings)
    except TypeError as error:
        raise ValueError(f"Invalid protocol {dict(settings)}: {error}") from error


def check_corruption(
    name: str, severities: Sequence[int], folders: Mapping[str, str | None]
) -> None:
    """Check that a corruption exists, has all severities and has the recordings it needs.

    Args:
        name: Name of the corruption.
        severities: Severities.
        folders: Folders of recordings by kind, "noises" and "responses"; None if not given.

    Raises:
        ValueError: If one of these conditions does not hold.
    """
    if name not in ALL_CORRUPTIONS:
        raise unknown_name("corruption", name, ALL_CORRUPTIONS)
    needs = ALL_CORRUPTIONS[name].needs
    if needs and not folders[needs]:
        raise ValueError(f"Corruption '{name}' needs a folder of {needs}: set {needs}.")
    levels = len(ALL_CORRUPTIONS[name].levels)
    for severity in severities:
        if severity not in range(1, levels + 1):
            raise ValueError(f"Corruption '{name}' has severities 1 to {levels}, got {severity}.")
