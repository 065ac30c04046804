"""The one procedure behind all methods: select parameters, step, reset."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import nn

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


@dataclass(frozen=True)
class Step:
    """What became of a batch.

    Attributes:
        logits: Predictions from before the update, shape (N, C); zero, that is, uniform, where
            features or outputs are not finite.
        event: "adapted", "held" (nothing was learnt from the batch, on purpose), "reset" (back to
            the source model) or "skipped" (something was not finite, nothing was changed).
        terms: Value of every loss term, weighted as in their sum.
    """

    logits: torch.Tensor
    event: Event
    terms: dict[str, float] = field(default_factory=dict)


class AdaptationMethod:
    """A network that adapts to the batches it is given.

    The network is adapted in place and runs in evaluation mode but for its batch norms, which
    normalise with the statistics of the batch where `uses_batch_statistics`, and move their
    running ones along for later use without this class. A batch of one sample has no statistics
    that tell its class: it is normalised with the running ones.

    Subclasses choose the parameters and give the loss terms of a batch; without parameters
    nothing is learnt.

    Args:
        model: Network with `output_dim` classes; logits of `model(features)`.
        learning_rate: Step size, positive.
        parameters: "norm", "features" or "all"; see `select_parameters`.
        optimizer: "adam", or "sgd" with a momentum of 0.9.

    Attributes:
        norms: Batch norms of the network.

    Raises:
        ValueError: If the network is frozen or quantised, lacks what the method needs, or a
            setting is out of range.
    """

    name: ClassVar[str]
    learns: ClassVar[bool] = True
    uses_batch_statistics: ClassVar[bool] = True
    needs_batch_norm: ClassVar[bool] = False
    batch_share: float = 1.0  # of a batch in the statistics it is normalised with

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float = 0.001,
        parameters: Selection = "norm",
        optimizer: Literal["adam", "sgd"] = "adam",
    ) -> None:
        check_adaptable(model)
        if not learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {learning_rate}.")
        if optimizer not in ("adam", "sgd"):
            raise ValueError(f"optimizer must be 'adam' or 'sgd', got '{optimizer}'.")
        self.model = model
        self.n_classes: int = model.output_dim
        self.learning_rate = learning_rate
        self.norms = list(batch_norms(model).values())
        if self.needs_batch_norm and not self.norms:
            raise ValueError(
                f"Method '{self.name}' replaces the statistics of batch norms: "
                f"{type(model).__name__} has none."
            )
        chosen = select_parameters(model, parameters, self.n_classes) if self.learns else {}
        self._snapshot = Snapshot(model)
        self._learning = list(chosen.values())
        moving = {id(p) for p in self._learning}
        everything = named_parameters(model).values()
        self._fixed = [p for p in everything if p.requires_grad and id(p) not in moving]
        model.eval()
        self._follows = False
        self._optimizer = self._make_optimizer(optimizer) if self._learning else None
        self._start = copy.deepcopy(self._optimizer.state_dict()) if self._optimizer else None

    def step(self, features: torch.Tensor) -> Step:
        """Predict a batch, then learn from it.

        Args:
            features: Shape (N, ...), N at least 1.

        Returns:
            Predictions and what happened. If features, loss or gradient are not finite the network
            is left exactly as it was.
        """
        if not torch.isfinite(features).all():
            return Step(self.predict(features), "skipped")
        before = [buffer.clone() for buffer in self._buffers()]
        with torch.set_grad_enabled(bool(self._learning)), self._running(len(features)):
            views = self.views(features)
            logits = self._forward(views)
            terms = self.terms(logits) if self._learning else {}
        prediction = self.combine([part.detach() for part in logits])
        event: Event = "held"
        if not all(torch.isfinite(part).all() for part in logits):
            event = "skipped"
        elif self._learning:
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
        """Predict a batch and change nothing.

        Args:
            features: Shape (N, ...).

        Returns:
            Logits, shape (N, C); zero where features are not finite.
        """
        is_finite = torch.isfinite(features).flatten(1).all(dim=1)
        logits = features.new_zeros(len(features), self.n_classes)
        if is_finite.any():
            logits[is_finite] = finite_rows(self._predict(features[is_finite]))
        return logits

    def reset(self) -> None:
        """Back to the source model and a fresh optimiser, bit for bit."""
        self._restore()

    def follow_statistics(self, features: torch.Tensor) -> None:
        """Move the running statistics towards those of a batch by the norms' own momentum."""
        for norm in self.norms:
            norm.train()
        with torch.no_grad():
            self._forward(self.views(features))
        for norm in self.norms:
            norm.eval()

    def set_progress(self, progress: float) -> None:
        """Tell how much of the passes over the data is done, in [0, 1), for schedules."""

    def views(self, features: torch.Tensor) -> list[torch.Tensor]:
        """Versions of a batch that the loss sees, each of its shape."""
        return [features]

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weighted loss terms of the logits of all views; none to learn nothing from them."""
        return {}

    def combine(self, logits: list[torch.Tensor]) -> torch.Tensor:
        """One prediction from those of all views: the logarithm of their average."""
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
        if not self._compute_gradient(sum(terms.values())):
            return "skipped"
        self._optimizer.step()
        return "adapted"

    def _compute_gradient(self, loss: torch.Tensor) -> bool:
        """Gradients of the chosen parameters; whether all of them are finite."""
        self._optimizer.zero_grad()
        if not torch.isfinite(loss):
            return False
        loss.backward()
        gradients = [p.grad for p in self._learning if p.grad is not None]
        # one number instead of a test for each: inf and nan survive a sum of absolute values
        return bool(gradients) and bool(torch.isfinite(sum(g.abs().sum() for g in gradients)))

    def _forward(self, views: list[torch.Tensor]) -> list[torch.Tensor]:
        return list(self.model(torch.cat(views)).chunk(len(views)))

    @contextmanager
    def _running(self, n_samples: int) -> Iterator[None]:
        """Batch norms as the method has them, gradients for the chosen parameters only."""
        uses_batch = self.uses_batch_statistics and n_samples > 1
        # the first batch of a stream stands alone: what came before is the source
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

    def _make_optimizer(self, name: str) -> torch.optim.Optimizer:
        if name == "adam":
            return torch.optim.Adam(self._learning, lr=self.learning_rate)
        return torch.optim.SGD(self._learning, lr=self.learning_rate, momentum=0.9)


def finite_rows(logits: torch.Tensor) -> torch.Tensor:
    """Logits with zeros, uniform predictions, in rows that are not finite, shape (N, C)."""
    is_finite = torch.isfinite(logits).all(dim=1, keepdim=True)
    return torch.where(is_finite, logits, 0)
