"""Differences between host versions. No other module depends on the version."""

try:  # autrainer 0.10 and later call only callbacks that inherit from its mixin
    from autrainer.core.callbacks import CallbackMixin
except ImportError:

    class CallbackMixin:  # type: ignore[no-redef]  # stands in for the missing import
        """Base class of callbacks (`cb_*` methods). autrainer 0.4 requires none."""


__all__ = ["CallbackMixin"]
