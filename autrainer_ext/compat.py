"""Differences between the hosts autrainer 0.4 and 0.10. No other module depends on the version.

Since 0.10, samples and batches are objects with the attributes `features`, `target` and `index`
instead of tuples, transforms get such objects, callbacks register themselves, and the trainer
averages the losses of the samples.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import torch

try:
    from autrainer.core.callbacks import CallbackManager
    from autrainer.core.callbacks import CallbackMixin as _Receiver
    from autrainer.core.structs import DataItem

    IS_OLD_HOST = False
except ImportError:  # autrainer 0.4

    class _Receiver:  # type: ignore[no-redef]  # stands in for the missing import
        """Base class of callbacks, which autrainer 0.4 does not have."""

    CallbackManager = DataItem = None
    IS_OLD_HOST = True

_P = ParamSpec("_P")
_T = TypeVar("_T")


class CallbackMixin(_Receiver):
    """Base class of callbacks (`cb_*` methods), the first one of the class.

    A constructor of a subclass must call `super().__init__()`: since autrainer 0.10, callbacks
    register themselves there, and one that does not is never called.
    """

    def cb_on_train_end(self, trainer: Any) -> None:  # noqa: ANN401  imported late by all modules
        """Leave the callbacks of the host, which would call this object in the next run, too."""
        if not IS_OLD_HOST:
            CallbackManager().remove_all(self)


def register_callback(trainer: Any, callback: object) -> None:  # noqa: ANN401  as above
    """Call an object created during training from now on; keep a reference to it.

    Args:
        trainer: Trainer of the host.
        callback: Object with `cb_*` methods.

    Example:
        >>> from types import SimpleNamespace
        >>> manager = SimpleNamespace(register=lambda callback: None)
        >>> register_callback(SimpleNamespace(callback_manager=manager), object())
    """
    if IS_OLD_HOST:
        trainer.callback_manager.register(callback)


def trainer_averages() -> bool:
    """Whether the trainer minimises the mean of the losses of the samples (since 0.10).

    Otherwise it minimises the loss that the criterion has reduced.

    Example:
        >>> trainer_averages() in (True, False)
        True
    """
    return not IS_OLD_HOST


def batch_sizes(batch_size: int, inference_batch_size: int) -> dict[str, int]:
    """Arguments of a data set for the sizes of its batches; none since 0.10.

    Args:
        batch_size: Number of samples in a batch in training.
        inference_batch_size: The same in evaluation.

    Example:
        >>> set(batch_sizes(8, 16)) <= {"batch_size", "inference_batch_size"}
        True
    """
    if IS_OLD_HOST:
        return {"batch_size": batch_size, "inference_batch_size": inference_batch_size}
    return {}


def on_features(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a method from features to features, so that it takes the samples of the host, too.

    Args:
        method: Method of a transform or augmentation, with the features as first argument.

    Example:
        >>> class Double:
        ...     @on_features
        ...     def __call__(self, x: torch.Tensor) -> torch.Tensor:
        ...         return 2 * x
        >>> Double()(torch.ones(2)).tolist()
        [2.0, 2.0]
    """

    @wraps(method)
    def on_either(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        transform, x, *rest = cast("tuple[Any, ...]", args)
        call = cast("Callable[..., Any]", method)
        if isinstance(x, torch.Tensor):
            return call(transform, x, *rest, **kwargs)
        x.features = call(transform, x.features, *rest, **kwargs)
        return x

    return on_either


def make_sample(
    features: torch.Tensor,
    target: Any,  # noqa: ANN401  a class index, a number or several
    index: int,
    transform: Callable[..., Any] | None,
) -> Any:  # noqa: ANN401  what the loaders of the host take
    """Transform features and make a sample of them.

    Args:
        features: Features of one clip.
        target: Encoded target.
        index: Position in the split.
        transform: Pipeline of the host (`SmartCompose`), or None.

    Example:
        >>> unpack(make_sample(torch.ones(1), 2, 3, None))
        (tensor([1.]), 2, 3)
    """
    if IS_OLD_HOST:
        if transform is not None:
            features = transform(features, index=index).float()
        return features, target, index
    item = DataItem(features, target, index)
    if transform is not None:
        item = transform(item)
        item.features = item.features.float()
    return item


def unpack(sample: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401  the type differs between hosts
    """Features, target and index of a sample or batch of the host.

    Args:
        sample: Tuple of the three, or an object with these attributes.

    Example:
        >>> unpack(("features", "target", "index"))
        ('features', 'target', 'index')
    """
    if isinstance(sample, list | tuple):
        features, target, index = sample
        return features, target, index
    return sample.features, sample.target, sample.index


def with_features(batch: Any, features: torch.Tensor) -> Any:  # noqa: ANN401  as above
    """Replace the features of a batch of the host.

    Args:
        batch: Batch; it may be changed.
        features: New features.

    Example:
        >>> with_features(["old", "target", "index"], torch.ones(1))
        [tensor([1.]), 'target', 'index']
    """
    if isinstance(batch, list | tuple):
        return [features, *batch[1:]]
    batch.features = features
    return batch


def apply_transform(transform: Callable[..., Any], features: torch.Tensor) -> torch.Tensor:
    """Apply a transform to features outside of a data set.

    Args:
        transform: Transform or pipeline of the host, or a function of the features.
        features: Features or samples of one clip.

    Example:
        >>> apply_transform(lambda x: x + 1, torch.zeros(1))
        tensor([1.])
    """
    from autrainer.transforms import AbstractTransform, SmartCompose

    if IS_OLD_HOST and isinstance(transform, SmartCompose):
        return transform(features, 0)
    if not IS_OLD_HOST and isinstance(transform, SmartCompose | AbstractTransform):
        return transform(DataItem(features, 0, 0)).features
    return transform(features)
