"""Adaptation of a network that predicts a stream, one sample or a few at a time."""

import copy
from typing import Any

import torch
from torch import nn

from .parameters import named_parameters
from .procedure import AdaptationMethod, Event
from .registry import make_method


class AdaptiveStream:
    """Predicts every sample at once and adapts after every `batch_size` samples.

    A sample is predicted with the running statistics of the network as adapted so far, and then
    waits until the batch is full; memory is bounded by one batch. If a step learns nothing, because
    the guard of NTTA saw too few classes or reset the network, the source model predicts until the
    next step that learns. Samples that are not finite do not count for a batch.

    Args:
        model: Classifier from features to logits with `output_dim` classes. It does not change.
        method: Name of the method, one that learns or `batch_norm`. Default: "ntta".
        options: Settings of the method. Default: those of the method.
        batch_size: Number of samples in a step, at least 2. Default: 32.

    Attributes:
        events: Number of steps by event.

    Raises:
        ValueError: If the batch size is below 2, or method and network do not go together.

    Example:
        >>> net = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
        >>> net.output_dim = 2
        >>> stream = AdaptiveStream(net, method="tent", batch_size=4)
        >>> stream.predict(torch.rand(9, 2)).shape, stream.events
        (torch.Size([9, 2]), {'adapted': 2})
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        method: str = "ntta",
        options: dict[str, Any] | None = None,
        batch_size: int = 32,
    ) -> None:
        if batch_size < 2:
            raise ValueError(f"Argument 'batch_size' must be at least 2, got {batch_size}.")
        self.batch_size = batch_size
        self._source = copy.deepcopy(model).eval()
        self._method: AdaptationMethod = make_method(method, copy.deepcopy(model), options)
        self.reset()

    def reset(self) -> None:
        """Start a new stream with the source model."""
        self._method.reset()
        self.events: dict[Event, int] = {}
        self._waiting: list[torch.Tensor] = []
        self._is_adapted = False

    @property
    def is_adapted(self) -> bool:
        """Whether an adapted network predicts the next sample, not the source model."""
        return self._is_adapted

    @property
    def model(self) -> nn.Module:
        """Network that predicts the next sample, in evaluation mode."""
        return self._method.model if self._is_adapted else self._source

    def predict(self, features: torch.Tensor) -> torch.Tensor:
        """Predict samples, and adapt after every batch that they fill.

        Args:
            features: Features, shape (n, ...), n at least 1.

        Returns:
            Logits, shape (n, C). Logits of a sample do not depend on later samples.
        """
        logits = []
        for sample in features.split(1):
            with torch.no_grad():
                logits.append(self.model(sample))
            if torch.isfinite(sample).all():
                self._waiting.append(sample)
            if len(self._waiting) == self.batch_size:
                self._step()
        return torch.cat(logits)

    def state(self) -> dict[str, Any]:
        """Copy of the state of the stream, for `torch.save` and `load_state`."""
        return {
            "method": self._method.state(),
            "waiting": list(self._waiting),
            "is_adapted": self._is_adapted,
            "events": dict(self.events),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue a stream.

        Args:
            state: State from `state`, of a stream with the same model and arguments.
        """
        self._method.load_state(state["method"])
        device = next(iter(named_parameters(self._source).values())).device
        self._waiting = [sample.to(device) for sample in state["waiting"]]
        self._is_adapted = state["is_adapted"]
        self.events = dict(state["events"])

    def _step(self) -> None:
        event = self._method.step(torch.cat(self._waiting)).event
        self._waiting = []
        self.events[event] = self.events.get(event, 0) + 1
        self._is_adapted = event == "adapted" or (event == "held" and not self._method.learns)
