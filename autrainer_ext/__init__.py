"""Understand and harden audio models trained with autrainer and aucurriculum."""

__version__ = "0.2.0"
