"""Adaptation methods that are fully described by their parameters and their loss terms.

Methods with a procedure of their own are in `sar`, `lame`, `t3a` and `ntta`.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .losses import diversity, entropy_nats
from .parameters import Selection
from .procedure import AdaptationMethod, OptimizerName

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .procedure import LearningOptions

RELIABLE_SHARE = 0.4  # of the largest entropy; EATA and SAR use predictions of lower entropy only


class Source(AdaptationMethod):
    """Source model: the network as it was trained, without adaptation.

    Args:
        model: See `AdaptationMethod`.
    """

    name = "source"
    learns = False
    uses_batch_statistics = False

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)


class BatchNormStatistics(AdaptationMethod):
    """Batch norms with the statistics of the batch instead of those of training.

    No parameter is learnt.

    Args:
        model: See `AdaptationMethod`.

    Source:
        Schneider et al. (2020), Improving robustness against common corruptions by covariate
        shift adaptation; Nado et al. (2020), Evaluating prediction-time batch normalization.
    """

    name = "batch_norm"
    learns = False
    needs_batch_norm = True

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)


class Tent(AdaptationMethod):
    """Entropy minimisation over the norm layers.

    Args:
        model: See `AdaptationMethod`, also for all other arguments.

    Source:
        Wang et al. (2021), Tent: fully test-time adaptation by entropy minimization.
    """

    name = "tent"

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Mean entropy of the predictions in nats."""
        return {"entropy": entropy_nats(logits[0]).mean()}


class SHOT(AdaptationMethod):
    """Information maximisation with a fixed classifier.

    The pseudo-labels of SHOT are left out.

    Args:
        model: See `AdaptationMethod`, also for all other arguments.
        parameters: Parameters to adapt. Default: all but the classifier, as in SHOT.

    Source:
        Liang et al. (2020), Do we really need to access the source data?, equation 3.
    """

    name = "shot_im"

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float = 0.001,
        parameters: Selection = "features",
        optimizer: OptimizerName = "adam",
    ) -> None:
        super().__init__(
            model, learning_rate=learning_rate, parameters=parameters, optimizer=optimizer
        )

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Mean entropy and negative entropy of the mean prediction, both in nats."""
        return {"entropy": entropy_nats(logits[0]).mean(), "diversity": -diversity(logits[0])}


class EATA(AdaptationMethod):
    """Weighted entropy minimisation of predictions that are confident and not redundant.

    A prediction counts if its entropy is below 0.4 ln C and the absolute cosine between it and the
    moving average of the counted predictions is below `max_similarity`. Confident predictions get
    larger weights. With features of the source, changes of the parameters that its predictions
    depend on are penalised: sum_i F_i (parameter_i - source parameter_i)^2, weighted, where F is
    the mean square of the gradient of the cross-entropy with the predicted class.

    Args:
        model: See `AdaptationMethod`, also for all other arguments.
        source: Batches of features as in training, each of shape (N, ...); the paper uses 2,000
            samples. Default: none, no penalty (ETA in the paper).
        fisher_weight: Weight of the penalty. Default: 2000, as in the paper.
        max_similarity: Largest absolute cosine of a prediction that is not redundant, in [0, 1].
            Default: None for 0.05 sqrt(1000 / C), at most 1. The paper sets 0.05 for 1000 classes;
            the cosine of a certain and an even prediction is 1 / sqrt(C).

    Source:
        Niu et al. (2022), Efficient test-time model adaptation without forgetting, equations 2-9.
    """

    name = "eata"

    def __init__(
        self,
        model: nn.Module,
        *,
        max_similarity: float | None = None,
        source: Iterable[torch.Tensor] = (),
        fisher_weight: float = 2000.0,
        **options: "Unpack[LearningOptions]",
    ) -> None:
        super().__init__(model, **options)
        self.fisher_weight = fisher_weight
        self._fisher = self._estimate_fisher(source)
        self._source = [parameter.detach().clone() for parameter in self.learning]
        scaled = min(1.0, 0.05 * math.sqrt(1000 / self.n_classes))
        self.max_similarity = scaled if max_similarity is None else max_similarity
        self._average: torch.Tensor | None = None

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
        """Mean weighted entropy of the predictions that count; no term if none counts."""
        values, margin = entropy_nats(logits[0]), RELIABLE_SHARE * math.log(self.n_classes)
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
        return {"entropy": (weights * values)[counts].mean()} | self._penalty()

    def _penalty(self) -> dict[str, torch.Tensor]:
        moves = [
            (fisher * (parameter - source) ** 2).sum()
            for fisher, parameter, source in zip(
                self._fisher, self.learning, self._source, strict=False
            )
        ]
        return {"fisher": self.fisher_weight * torch.stack(moves).sum()} if moves else {}

    def _estimate_fisher(self, source: Iterable[torch.Tensor]) -> list[torch.Tensor]:
        """Mean square of the gradients over batches, one tensor per learnt parameter, or none."""
        squares: list[list[torch.Tensor]] = []
        for features in source:
            with torch.enable_grad(), self._running(len(features)):
                logits = self.model(features)
            loss = nn.functional.cross_entropy(logits, logits.argmax(dim=1))
            squares.append([g**2 for g in torch.autograd.grad(loss, self.learning)])
        self._snapshot.restore()  # batches moved the statistics
        self.model.eval()
        return [torch.stack(parts).mean(dim=0) for parts in zip(*squares, strict=True)]
