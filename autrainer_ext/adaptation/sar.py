"""Sharpness-aware and reliable entropy minimisation."""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .losses import entropy_nats
from .methods import RELIABLE_SHARE
from .procedure import AdaptationMethod, Event, total_loss

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .procedure import LearningOptions


class SAR(AdaptationMethod):
    """Entropy minimisation of confident predictions at the worst point near the parameters.

    The gradient is computed after a step of length `radius` uphill. If the moving average of the
    loss falls below 0.2 ln C / ln 1000, the network has collapsed to a single class and is reset;
    the paper sets 0.2 for 1000 classes. Predictions that are confident before and after the step
    uphill count.

    Departure from the paper: it keeps the last block fixed and recommends layer or group norm;
    here all norm layers are adapted, batch norms included.

    Args:
        model: See `AdaptationMethod`, also for all other arguments.
        radius: Distance to the worst point.

    Source:
        Niu et al. (2023), Towards stable test-time adaptation in dynamic wild world, algorithm 1.
    """

    name = "sar"

    def __init__(
        self, model: nn.Module, *, radius: float = 0.05, **options: "Unpack[LearningOptions]"
    ) -> None:
        super().__init__(model, **options)
        self.radius = radius
        self.reset_below = 0.2 * math.log(self.n_classes) / math.log(1000)
        self._average: float | None = None

    def reset(self) -> None:
        """Restore the source model and forget the moving average."""
        super().reset()
        self._average = None

    def state(self) -> dict[str, Any]:
        """State with the moving average; see `AdaptationMethod.state`."""
        return super().state() | {"average": self._average}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state; see `AdaptationMethod.load_state`."""
        super().load_state(state)
        self._average = state["average"]

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Mean entropy of the confident predictions in nats; no term if none is confident."""
        self._confident = self._is_confident(logits[0])
        return self._mean_entropy(logits[0], self._confident)

    def _is_confident(self, logits: torch.Tensor) -> torch.Tensor:
        return entropy_nats(logits.detach()) < RELIABLE_SHARE * math.log(self.n_classes)

    def _mean_entropy(self, logits: torch.Tensor, counts: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"entropy": entropy_nats(logits)[counts].mean()} if counts.any() else {}

    def _learn(self, terms: dict[str, torch.Tensor], views: list[torch.Tensor]) -> Event:
        if not terms:
            return "held"
        if not self._compute_gradient(total_loss(terms)):
            return "skipped"
        before = [p.detach().clone() for p in self.learning]
        self._climb()
        with self._running(len(views[0])):
            (logits,) = self._forward(views)
        worst = self._mean_entropy(logits, self._confident & self._is_confident(logits))
        is_usable = bool(worst) and self._compute_gradient(total_loss(worst))
        with torch.no_grad():
            for parameter, value in zip(self.learning, before, strict=True):
                parameter.copy_(value)
        if not is_usable:
            return "skipped" if worst else "held"
        self._update()
        loss = float(total_loss(worst).detach())
        self._average = loss if self._average is None else 0.9 * self._average + 0.1 * loss
        if self._average >= self.reset_below:
            return "adapted"
        self.reset()
        return "reset"

    def _climb(self) -> None:
        """Move the parameters by `radius` along the gradient."""
        gradients = [(p, p.grad) for p in self.learning if p.grad is not None]
        with torch.no_grad():
            norm = torch.stack([gradient.norm() for _, gradient in gradients]).norm()
            for parameter, gradient in gradients:
                parameter.add_(gradient * (self.radius / (norm + 1e-12)))
