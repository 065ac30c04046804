"""transforms."""

from .clip_level import LowestBands, RelativeLevel
from .fixed_length import FixedLength

__all__ = ["FixedLength", "LowestBands", "RelativeLevel"]
