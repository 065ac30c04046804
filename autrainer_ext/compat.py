"""The one place that knows how the supported host versions differ.

autrainer 0.4.0 calls callbacks by duck typing; from 0.10 on only classes that inherit
its `CallbackMixin` are called.
"""

try:
    from autrainer.core.callbacks import CallbackMixin
except ImportError:

    class CallbackMixin:
        """Marks a class whose `cb_*` methods the host calls during training."""


__all__ = ["CallbackMixin"]
