"""Test-time template adjuster: move the templates of the classes, not the parameters."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from .losses import entropy_nats
from .parameters import classifier_parameters, named_parameters
from .procedure import AdaptationMethod, Event, Step


class T3A(AdaptationMethod):
    """Classification by templates of confident embeddings; no parameter moves.

    Every class has a set of supports: the weights of the classifier for it, and the embeddings seen
    so far that were assigned to it. Of each set the `n_supports` with the lowest entropy are kept.
    The template of a class is the direction of the sum of its normalised supports, and the
    logit of a class is the product of embedding and template.

    Args:
        model: Network with a method `embeddings` and a linear classifier over them. What follows
            the classifier, such as a batch norm, does not act on the templates.
        n_supports: Number of supports per class, positive. Default: 20. The paper chooses it on
            source data from 1, 5, 20, 50, 100 and all.

    Raises:
        ValueError: If `n_supports` is not positive or the network has no linear classifier.

    Source:
        Iwasawa & Matsuo (2021), Test-time classifier adjustment module for model-agnostic domain
        generalization, algorithm 1.
    """

    name = "t3a"
    learns = False
    uses_batch_statistics = False

    def __init__(self, model: nn.Module, *, n_supports: int = 20) -> None:
        super().__init__(model)
        if n_supports < 1:
            raise ValueError(f"Argument 'n_supports' must be positive, got {n_supports}.")
        self.n_supports = n_supports
        parameters = named_parameters(model)
        names = classifier_parameters(model, self.n_classes)
        if not names or parameters[names[0]][0].numel() != parameters[names[0]].shape[1]:
            raise ValueError(f"Network {type(model).__name__} has no linear classifier.")
        self._weight = parameters[names[0]].detach().flatten(1).clone()
        bias = parameters.get(names[0].removesuffix("weight") + "bias")
        self._bias = self._weight.new_zeros(self.n_classes) if bias is None else bias.detach()
        self._forget()

    def step(self, features: torch.Tensor) -> Step:
        """Add a batch to the supports, then predict it; see `AdaptationMethod.step`."""
        if not torch.isfinite(features).all():
            return super().step(features)
        with torch.no_grad():
            embeddings = self._embed(features)
            self._add(embeddings)
            logits = self._score(embeddings)
        event: Event = "held" if torch.isfinite(logits).all() else "skipped"
        return Step(torch.nan_to_num(logits), event)

    def reset(self) -> None:
        """Restore the source model and forget all embeddings."""
        super().reset()
        self._forget()

    def state(self) -> dict[str, Any]:
        """State with the supports; see `AdaptationMethod.state`."""
        supports = {"supports": self._supports, "classes": self._classes, "entropy": self._entropy}
        return super().state() | supports

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state; see `AdaptationMethod.load_state`."""
        super().load_state(state)
        self._supports, self._classes = state["supports"], state["classes"]
        self._entropy = state["entropy"]

    def _forward(self, views: list[torch.Tensor]) -> list[torch.Tensor]:
        return [self._score(self._embed(views[0]))]

    def _score(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Logits of embeddings by the templates."""
        directions = nn.functional.normalize(self._supports, dim=1)
        templates = torch.zeros_like(self._weight).index_add_(0, self._classes, directions)
        return embeddings @ nn.functional.normalize(templates, dim=1).T

    def _embed(self, features: torch.Tensor) -> torch.Tensor:
        embed = cast(Callable[[torch.Tensor], torch.Tensor], self.model.embeddings)
        return embed(features).flatten(1)

    def _forget(self) -> None:
        self._supports = self._weight.new_zeros(0, self._weight.shape[1])
        self._classes = torch.zeros(0, dtype=torch.long, device=self._weight.device)
        self._entropy = self._weight.new_zeros(0)
        self._add(self._weight)

    def _add(self, embeddings: torch.Tensor) -> None:
        """Add embeddings and keep the supports of lowest entropy of every class."""
        logits = embeddings @ self._weight.T + self._bias
        supports = torch.cat([self._supports, embeddings])
        classes = torch.cat([self._classes, logits.argmax(dim=1)])
        entropy = torch.cat([self._entropy, entropy_nats(logits)])
        kept = torch.cat([
            members[entropy[members].argsort(stable=True)][: self.n_supports]
            for members in (torch.nonzero(classes == c).flatten() for c in range(self.n_classes))
        ])  # fmt: skip
        self._supports, self._classes = supports[kept], classes[kept]
        self._entropy = entropy[kept]
