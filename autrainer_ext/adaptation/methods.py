"""Methods to compare with: each is the parameters it moves and the loss of a batch."""

import math

import torch
from torch import nn

from .losses import DiversityLoss, EntropyLoss, diversity, entropy_nats
from .procedure import AdaptationMethod, Event

_RELIABLE = 0.4  # share of the largest entropy below which a prediction counts, as EATA and SAR do


class Source(AdaptationMethod):
    """The network as it is."""

    name = "source"
    learns = False
    uses_batch_statistics = False

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)


class BatchNormStatistics(AdaptationMethod):
    """Statistics of the batch instead of those of training; nothing is learnt.

    Source:
        Schneider et al. (2020), Improving robustness against common corruptions by covariate
        shift adaptation; Nado et al. (2020).
    """

    name = "batch_norm"
    learns = False
    needs_batch_norm = True

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)


class Tent(AdaptationMethod):
    """Minimises the entropy of the predictions, over norm layers.

    Args:
        model: See `AdaptationMethod`, as all other arguments.

    Source:
        Wang et al. (2021), Tent: fully test-time adaptation by entropy minimization.
    """

    name = "tent"

    def __init__(self, model: nn.Module, **options) -> None:
        super().__init__(model, **options)
        self._entropy = EntropyLoss()

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Mean entropy."""
        return {"entropy": self._entropy(logits[0])}


class SHOT(AdaptationMethod):
    """Information maximisation with a fixed classifier; without SHOT's pseudo-labels.

    Args:
        model: See `AdaptationMethod`, as all other arguments.
        parameters: SHOT moves all but the classifier.

    Source:
        Liang et al. (2020), Do we really need to access the source data?, equation 3.
    """

    name = "shot_im"

    def __init__(self, model: nn.Module, *, parameters: str = "features", **options) -> None:
        super().__init__(model, parameters=parameters, **options)
        self._entropy, self._diversity = EntropyLoss(), DiversityLoss()

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Mean entropy minus entropy of the mean."""
        return {"entropy": self._entropy(logits[0]), "diversity": self._diversity(logits[0])}


class EATA(AdaptationMethod):
    """Entropy of predictions that are sure and new, weighted by how sure they are.

    A prediction counts if its entropy is below 0.4 ln C and its cosine with the moving average
    of the counted ones is below `max_similarity`. The regulariser of the paper is left out: it
    needs data of the source.

    Args:
        model: See `AdaptationMethod`, as all other arguments.
        max_similarity: Largest absolute cosine of a new prediction.

    Source:
        Niu et al. (2022), Efficient test-time model adaptation without forgetting, equations 2-5.
    """

    name = "eata"

    def __init__(self, model: nn.Module, *, max_similarity: float = 0.05, **options) -> None:
        super().__init__(model, **options)
        self.max_similarity = max_similarity
        self._average: torch.Tensor | None = None

    def reset(self) -> None:
        """Back to the source model; the moving average is forgotten."""
        super().reset()
        self._average = None

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weighted entropy of the predictions that count; none if there is no such."""
        values, margin = entropy_nats(logits[0]), _RELIABLE * math.log(self.n_classes)
        p = logits[0].detach().softmax(dim=1)
        counts = values.detach() < margin
        if self._average is not None:
            similarity = torch.cosine_similarity(self._average[None], p, dim=1)
            counts &= similarity.abs() < self.max_similarity
        if not counts.any():
            return {}
        mean = p[counts].mean(dim=0)
        old = mean if self._average is None else self._average
        self._average = 0.9 * old + 0.1 * mean
        weights = torch.exp(margin - values.detach())
        return {"entropy": (weights * values)[counts].mean()}


class SAR(AdaptationMethod):
    """Entropy of sure predictions, at the worst point near the parameters.

    The gradient is taken after a step of length `radius` uphill. Where the moving average of the
    loss falls below 0.2 the network has become sure of one class and is reset.

    Args:
        model: See `AdaptationMethod`, as all other arguments.
        radius: Distance to the worst point.

    Source:
        Niu et al. (2023), Towards stable test-time adaptation in dynamic wild world, algorithm 1.
        It keeps the last block as it is and recommends layer or group norm; batch norms are
        adapted here too.
    """

    name = "sar"
    _RESET_BELOW = 0.2

    def __init__(self, model: nn.Module, *, radius: float = 0.05, **options) -> None:
        super().__init__(model, **options)
        self.radius = radius
        self._average: float | None = None

    def reset(self) -> None:
        """Back to the source model; the moving average is forgotten."""
        super().reset()
        self._average = None

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Mean entropy of the sure predictions; none if there is no such."""
        values = entropy_nats(logits[0])
        counts = values.detach() < _RELIABLE * math.log(self.n_classes)
        return {"entropy": values[counts].mean()} if counts.any() else {}

    def _learn(self, terms: dict[str, torch.Tensor], views: list[torch.Tensor]) -> Event:
        if not terms:
            return "held"
        if not self._compute_gradient(sum(terms.values())):
            return "skipped"
        before = [p.detach().clone() for p in self._learning]
        self._climb()
        with self._running(len(views[0])):
            worst = self.terms(self._forward(views))
        is_usable = bool(worst) and self._compute_gradient(sum(worst.values()))
        with torch.no_grad():
            for parameter, value in zip(self._learning, before, strict=True):
                parameter.copy_(value)
        if not is_usable:
            return "skipped" if worst else "held"
        self._optimizer.step()
        loss = float(sum(worst.values()).detach())
        self._average = loss if self._average is None else 0.9 * self._average + 0.1 * loss
        if self._average >= self._RESET_BELOW:
            return "adapted"
        self.reset()
        return "reset"

    def _climb(self) -> None:
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in self._learning]).norm()
            for parameter in self._learning:
                parameter.add_(parameter.grad * (self.radius / (norm + 1e-12)))


class LAME(AdaptationMethod):
    """Corrects the predictions of a batch so that neighbours agree; no parameter is touched.

    Minimises KL(z || p) - sum_ij w_ij z_i z_j over assignments z, w being one for the
    `n_neighbours` nearest embeddings by cosine, with the fixed point z_i ~ p_i exp(sum_j w_ij z_j).

    Args:
        model: Network with `embeddings`.
        n_neighbours: Neighbours of a sample, at most all others of its batch.

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
            raise ValueError(f"n_neighbours must be positive, got {n_neighbours}.")
        self.n_neighbours = n_neighbours

    def _forward(self, views: list[torch.Tensor]) -> list[torch.Tensor]:
        log_p = self.model(views[0]).log_softmax(dim=1)
        embeddings = nn.functional.normalize(self.model.embeddings(views[0]).flatten(1), dim=1)
        affinity = self._affinity(embeddings @ embeddings.T)
        z = log_p.softmax(dim=1)
        for _ in range(self._ITERATIONS):
            last, z = z, (log_p + affinity @ z).softmax(dim=1)
            if (z - last).abs().amax() < 1e-6:
                break
        return [z.clamp(min=1e-12).log()]

    def _affinity(self, similarity: torch.Tensor) -> torch.Tensor:
        """One for neighbours either way halved, shape (N, N): symmetric."""
        n = min(self.n_neighbours, len(similarity) - 1)
        similarity = similarity.clone().fill_diagonal_(-torch.inf)
        nearest = similarity.topk(n, dim=1).indices if n else similarity.new_zeros(1, 0).long()
        weights = torch.zeros_like(similarity).scatter_(1, nearest, 1.0)
        return (weights + weights.T) / 2


def information(logits: torch.Tensor) -> float:
    """Information of the samples about their predictions, H(p_mean) - mean H(p), in nats.

    A score without labels: high where predictions are sure and classes are even.

    Args:
        logits: Shape (N, C).
    """
    return float(diversity(logits) - entropy_nats(logits).mean())
