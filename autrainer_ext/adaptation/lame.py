"""Laplacian adjusted maximum-likelihood estimation: correct predictions, not parameters."""

from collections.abc import Callable
from typing import cast

import torch
from torch import nn

from .procedure import AdaptationMethod


class LAME(AdaptationMethod):
    """Correction of the predictions of a batch so that neighbours agree; no parameter moves.

    Minimises KL(z || p) - sum_ij w_ij z_i z_j over the corrected predictions z with the fixed-point
    iteration z_i ~ p_i exp(sum_j w_ij z_j). The weight w_ij is one if i and j are each among the
    `n_neighbours` nearest embeddings of the other by cosine, and one half if only one of them is.

    Args:
        model: Network with a method `embeddings`.
        n_neighbours: Number of neighbours of a sample, limited to the other samples of the batch.

    Raises:
        ValueError: If `n_neighbours` is not positive.

    Source:
        Boudiaf et al. (2022), Parameter-free online test-time adaptation, equations 4-6.
    """

    name = "lame"
    learns = False
    uses_batch_statistics = False
    _ITERATIONS = 100

    def __init__(self, model: nn.Module, *, n_neighbours: int = 5) -> None:
        super().__init__(model)
        if n_neighbours < 1:
            raise ValueError(f"Argument 'n_neighbours' must be positive, got {n_neighbours}.")
        self.n_neighbours = n_neighbours

    def _forward(self, views: list[torch.Tensor]) -> list[torch.Tensor]:
        log_p = self.model(views[0]).log_softmax(dim=1)
        embed = cast(Callable[[torch.Tensor], torch.Tensor], self.model.embeddings)
        embeddings = nn.functional.normalize(embed(views[0]).flatten(1), dim=1)
        affinity = self._affinity(embeddings @ embeddings.T)
        z = log_p.softmax(dim=1)
        for _ in range(self._ITERATIONS):
            last, z = z, (log_p + affinity @ z).softmax(dim=1)
            if (z - last).abs().amax() < 1e-6:
                break
        return [z.clamp(min=1e-12).log()]

    def _affinity(self, similarity: torch.Tensor) -> torch.Tensor:
        """Weights w from cosine similarities, shape (N, N), symmetric."""
        n = min(self.n_neighbours, len(similarity) - 1)
        similarity = similarity.clone().fill_diagonal_(-torch.inf)
        nearest = similarity.topk(n, dim=1).indices if n else similarity.new_zeros(1, 0).long()
        weights = torch.zeros_like(similarity).scatter_(1, nearest, 1.0)
        return (weights + weights.T) / 2
