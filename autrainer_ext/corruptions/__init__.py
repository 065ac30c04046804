"""Audio corruptions at graded severities: noise, filters and effects."""

from .registry import ALL_CORRUPTIONS, CORRUPTIONS, DHAUDS, Corruption, corrupt

__all__ = ["ALL_CORRUPTIONS", "CORRUPTIONS", "DHAUDS", "Corruption", "corrupt"]
