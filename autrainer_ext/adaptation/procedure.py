"""Base class of all adaptation methods: select parameters, take steps, reset."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypedDict, cast

import torch
from torch import nn

from autrainer_ext.errors import unknown_name

from .parameters import (
    Selection,
    Snapshot,
    batch_norms,
    check_adaptable,
    named_parameters,
    select_parameters,
)
from .statistics import following

Event = Literal["adapted", "held", "reset", "skipped"]
OptimizerName = Literal["adam", "sgd"]


class LearningOptions(TypedDict, total=False):
    """Keyword arguments of `AdaptationMethod` that subclasses pass on."""

    learning_rate: float
    parameters: Selection
    optimizer: OptimizerName


@dataclass(frozen=True)
class Step:
    """Result of one batch.

    Attributes:
        logits: Logits before the update, shape (N, C); zero, a uniform prediction, where features
            or outputs are not finite.
        event: "adapted", "held" (the method chose not to learn from the batch), "reset" (the
            source model was restored) or "skipped" (a value was not finite, nothing was changed).
        terms: Value of every loss term, including its weight.
    """

    logits: torch.Tensor
    event: Event
    terms: dict[str, float] = field(default_factory=dict)


class AdaptationMethod:
    """Base class of methods that adapt a network to unlabelled batches.

    The network is adapted in place and runs in evaluation mode, except for its batch norms. If
    `uses_batch_statistics` is set, these normalise with the statistics of the batch and update
    their running statistics, which serve later use of the network without this class. A batch of
    one sample is normalised with the running statistics.

    Subclasses select the parameters and compute the loss terms of a batch. Methods with `learns`
    unset learn no parameters.

    Args:
        model: Network with `output_dim` classes; `model(features)` returns logits.
        learning_rate: Learning rate, positive. Default: 0.001.
        parameters: Parameters to adapt: "norm" (default), "features" or "all"; see
            `select_parameters`.
        optimizer: "adam" (default), or "sgd" with a momentum of 0.9.

    Attributes:
        name: Name of the method in `ADAPTATION_METHODS`.
        learns: Whether the method learns parameters.
        uses_batch_statistics: Whether batch norms normalise with the statistics of the batch.
        needs_batch_norm: Whether the network must have batch norms.
        batch_share: Weight of a batch in the statistics it is normalised with, in (0, 1].
        norms: Batch norms of the network.
        learning: Parameters that are learnt.
        source_statistics: Running statistics of every batch norm as they were found, in the order
            of its buffers.

    Raises:
        ValueError: If the network is frozen or quantised or does not suit the method, or a
            setting is out of range.
    """

    name: ClassVar[str]
    learns: ClassVar[bool] = True
    uses_batch_statistics: ClassVar[bool] = True
    needs_batch_norm: ClassVar[bool] = False
    batch_share: float = 1.0

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float = 0.001,
        parameters: Selection = "norm",
        optimizer: OptimizerName = "adam",
    ) -> None:
        check_adaptable(model)
        if not learning_rate > 0:
            raise ValueError(f"Argument 'learning_rate' must be positive, got {learning_rate}.")
        if optimizer not in ("adam", "sgd"):
            raise unknown_name("optimizer", optimizer, ("adam", "sgd"))
        self.model = model
        self.n_classes = cast(int, model.output_dim)
        self.learning_rate = learning_rate
        self.norms = list(batch_norms(model).values())
        if self.needs_batch_norm and not self.norms:
            raise ValueError(
                f"Method '{self.name}' replaces the statistics of batch norms: "
                f"{type(model).__name__} has none."
            )
        chosen = select_parameters(model, parameters, self.n_classes) if self.learns else {}
        self._snapshot = Snapshot(model)
        self.source_statistics = [
            [buffer.clone() for buffer in norm.buffers(recurse=False)] for norm in self.norms
        ]
        self.learning = list(chosen.values())
        moving = {id(p) for p in self.learning}
        everything = named_parameters(model).values()
        self._fixed = [p for p in everything if p.requires_grad and id(p) not in moving]
        model.eval()
        self._follows = False
        self._optimizer = self._make_optimizer(optimizer) if self.learning else None
        self._start: dict[str, Any] = (
            copy.deepcopy(self._optimizer.state_dict()) if self._optimizer else {}
        )

    def step(self, features: torch.Tensor) -> Step:
        """Predict a batch, then learn from it.

        Args:
            features: Features, shape (N, ...), N at least 1.

        Returns:
            Predictions and event. If features, loss or gradient are not finite, no parameter or
            buffer of the network changes.
        """
        if not torch.isfinite(features).all():
            return Step(self.predict(features), "skipped")
        before = [buffer.clone() for buffer in self._buffers()]
        with torch.set_grad_enabled(bool(self.learning)), self._running(len(features)):
            views = self.views(features)
            logits = self._forward(views)
            terms = self.terms(logits) if self.learning else {}
        prediction = self.combine([part.detach() for part in logits])
        event: Event = "held"
        if not all(torch.isfinite(part).all() for part in logits):
            event = "skipped"
        elif self.learning:
            event = self._learn(terms, views)
        if event == "skipped":
            self._put_back(before)
        else:
            self._follows = True
        return Step(
            torch.nan_to_num(prediction),
            event,
            {name: float(t.detach()) for name, t in terms.items()},
        )

    def predict(self, features: torch.Tensor) -> torch.Tensor:
        """Predict a batch without changing the network.

        Args:
            features: Features, shape (N, ...).

        Returns:
            Logits, shape (N, C); zero where features are not finite.
        """
        is_finite = torch.isfinite(features).flatten(1).all(dim=1)
        logits = features.new_zeros(len(features), self.n_classes)
        if is_finite.any():
            logits[is_finite] = finite_rows(self._predict(features[is_finite]))
        return logits

    def reset(self) -> None:
        """Restore the source model and the initial optimiser, bit for bit."""
        self._restore()

    def state(self) -> dict[str, Any]:
        """Everything that steps change, for `load_state`; a copy."""
        return {
            "network": copy.deepcopy(self.model.state_dict()),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()) if self._optimizer else {},
            "follows": self._follows,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same method, network and settings.

        Args:
            state: State from `state`.
        """
        self.model.load_state_dict(state["network"])
        if self._optimizer is not None:
            self._optimizer.load_state_dict(state["optimizer"])
        self._follows = state["follows"]

    def follow_statistics(self, features: torch.Tensor) -> None:
        """Update the running statistics with a batch, by the momentum of each batch norm."""
        for norm in self.norms:
            norm.train()
        with torch.no_grad():
            self._forward(self.views(features))
        for norm in self.norms:
            norm.eval()

    def set_progress(self, progress: float) -> None:
        """Set the finished share of the passes, in [0, 1), for learning-rate schedules."""

    def views(self, features: torch.Tensor) -> list[torch.Tensor]:
        """Views of a batch for prediction and loss, each of the shape of `features`."""
        return [features]

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weighted loss terms by name from the logits of all views; empty to learn nothing."""
        return {}

    def combine(self, logits: list[torch.Tensor]) -> torch.Tensor:
        """Logits of the mean prediction over the views, up to a constant."""
        if len(logits) == 1:
            return logits[0]
        return torch.stack([part.log_softmax(dim=1) for part in logits]).logsumexp(dim=0)

    def _predict(self, features: torch.Tensor) -> torch.Tensor:
        before = [buffer.clone() for buffer in self._buffers()]
        with torch.no_grad(), self._running(len(features)):
            logits = self.combine(self._forward(self.views(features)))
        self._put_back(before)
        return logits

    def _learn(self, terms: dict[str, torch.Tensor], views: list[torch.Tensor]) -> Event:
        if not terms:
            return "held"
        if not self._compute_gradient(total_loss(terms)):
            return "skipped"
        self._update()
        return "adapted"

    def _update(self) -> None:
        assert self._optimizer is not None  # only methods with parameters to learn get here
        self._optimizer.step()

    def _compute_gradient(self, loss: torch.Tensor) -> bool:
        """Compute the gradients of the selected parameters; return whether all are finite."""
        for parameter in self.learning:
            parameter.grad = None
        if not torch.isfinite(loss):
            return False
        loss.backward()
        gradients = [p.grad for p in self.learning if p.grad is not None]
        # a single test instead of one per gradient: inf and nan survive sums of absolute values
        sums = [gradient.abs().sum() for gradient in gradients]
        return bool(sums) and bool(torch.stack(sums).sum().isfinite())

    def _forward(self, views: list[torch.Tensor]) -> list[torch.Tensor]:
        return list(self.model(torch.cat(views)).chunk(len(views)))

    @contextmanager
    def _running(self, n_samples: int) -> Iterator[None]:
        """Set batch norms as the method needs them and gradients for selected parameters only."""
        uses_batch = self.uses_batch_statistics and n_samples > 1
        # the first batch of a stream is used alone: the running statistics are still the source's
        share = self.batch_share if self._follows else 1.0
        for parameter in self._fixed:
            parameter.requires_grad_(False)
        try:
            with self._statistics(uses_batch, share):
                yield
        finally:
            for parameter in self._fixed:
                parameter.requires_grad_(True)

    @contextmanager
    def _statistics(self, uses_batch: bool, share: float) -> Iterator[None]:
        if uses_batch and self.batch_share < 1:
            with following(self.norms, share):
                yield
            return
        for norm in self.norms:
            norm.train(uses_batch)
        try:
            yield
        finally:
            for norm in self.norms:
                norm.eval()

    def _buffers(self) -> list[torch.Tensor]:
        return [buffer for norm in self.norms for buffer in norm.buffers(recurse=False)]

    def _put_back(self, buffers: list[torch.Tensor]) -> None:
        for buffer, value in zip(self._buffers(), buffers, strict=True):
            buffer.copy_(value)

    def _restore(self) -> None:
        self._snapshot.restore()
        self.model.eval()
        self._follows = False
        if self._optimizer is not None:
            self._optimizer.load_state_dict(copy.deepcopy(self._start))

    def _make_optimizer(self, name: OptimizerName) -> torch.optim.Optimizer:
        if name == "adam":
            return torch.optim.Adam(self.learning, lr=self.learning_rate)
        return torch.optim.SGD(self.learning, lr=self.learning_rate, momentum=0.9)


def total_loss(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    """Sum of at least one loss term, a scalar."""
    return cast(torch.Tensor, sum(terms.values()))


def finite_rows(logits: torch.Tensor) -> torch.Tensor:
    """Logits with rows that are not finite set to zero, a uniform prediction, shape (N, C)."""
    is_finite = torch.isfinite(logits).all(dim=1, keepdim=True)
    return torch.where(is_finite, logits, 0)
