"""Plugin `Devices`: results per recording device."""

from .plugin import Devices

__all__ = ["Devices"]
