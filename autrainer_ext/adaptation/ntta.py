"""Nuclear-norm test-time adaptation."""

import copy
from typing import Any

import torch
from torch import nn

from .guard import CollapseGuard
from .losses import DiversityLoss, EntropyLoss, Form, NuclearNormLoss, ViewConsistencyLoss
from .parameters import Selection
from .procedure import AdaptationMethod, OptimizerName, Step, finite_rows

_MOST_CHANNELS = 8


def decayed(learning_rate: float, progress: float, gamma: float) -> float:
    """Learning rate of the published schedule, lr (1 + gamma e / E)^-0.75.

    Args:
        learning_rate: Initial learning rate lr.
        progress: Finished share of the passes, e / E, in [0, 1).
        gamma: Strength of the decay, 10 in the published code; 0 keeps the learning rate.

    Returns:
        Learning rate of the next pass.

    Example:
        >>> round(decayed(0.04, 0.3, gamma=50), 6)
        0.005
    """
    return learning_rate * (1 + gamma * progress) ** -0.75


def find_time_axis(features: torch.Tensor) -> int:
    """Axis of the frames or samples of features.

    Front ends of the host give (N, channels, frames, bins), (N, frames, bins) or waveforms of shape
    (N, samples) or (N, channels, samples). The axis before the last holds the frames if it has more
    than eight values; otherwise it holds channels and the last axis holds the samples.

    Args:
        features: Features with at least two axes.

    Returns:
        Index of the axis, negative.

    Example:
        >>> find_time_axis(torch.zeros(4, 1, 96, 64)), find_time_axis(torch.zeros(4, 2, 16000))
        (-2, -1)
    """
    return -2 if features.ndim > 2 and features.shape[-2] > _MOST_CHANNELS else -1


class NTTA(AdaptationMethod):
    """Maximisation of the nuclear norm of the predictions of time-shifted views.

    L = - w_n mean_v norm(A_v) + w_e mean_v H(p_v) + w_g mean_v S_q(p_v) - w_d mean_v H(p_mean)
        + w_c mean_i ||p_1i - p_2i||

    Here v runs over the views, and A_v holds the predictions p_v of all samples of a batch. Two
    views shift the features circularly along time by up to `max_shift`, one forward and one back;
    all samples of a batch are shifted alike. The prediction is the mean over the views. A guard
    checks every batch: if a batch is not safe, the source model predicts it and nothing is learnt;
    if the network collapses to a single class, it is reset.

    Departures from the published code:

    - The code sums over the views. Here it is the mean, so that the weights do not depend on the
      number of views.
    - The code computes the generalised entropy from the first view twice. Here it uses both views.
    - The code misspells an option (`nestenv`) and therefore runs without Nesterov momentum.
    - Its schedule and SGD suit tens of passes; here they are options. `gamma` acts between passes
      and has no effect online.
    - The code keeps the checkpoint with the best accuracy on test labels. Here nothing uses labels.

    Args:
        model: See `AdaptationMethod`, also for `parameters` and `optimizer`.
        learning_rate: Learning rate, positive. Default: 0.04.
        parameters: Parameters to adapt. Default: "norm".
        optimizer: Name of the optimiser. Default: "adam".
        nuclear_norm: Weight w_n of the nuclear norm, not negative. Default: 1.
        entropy: Weight w_e of the entropy, not negative. Default: 1.
        generalised_entropy: Weight w_g of the generalised entropy, not negative. Default: 0.
        diversity: Weight w_d of the diversity, not negative. Default: 0.
        consistency: Weight w_c of the view consistency, not negative; needs two views. Default: 0.
        form: Form of the norm, "exact" (default), "column" or "frobenius".
        q: Order of the generalised entropy. Default: 0.9.
        views: Number of views, 1 (the unshifted features) or 2 (default).
        max_shift: Largest shift as a share of the frames, in [0, 1]. Default: 0.1.
        time_axis: Axis of the frames in the features. Default: None, see `find_time_axis`.
        gamma: Strength of the decay of the learning rate; see `decayed`. Default: 10.
        batch_share: Weight of a batch in the statistics it is normalised with, in (0, 1]; the
            moving average over the stream has the remaining weight. See `following`. Default: 0.5.
        guard: Guard of the stream, True (default) for a guard with default settings, or False.
        seed: Seed of the shifts. Default: 0.

    Raises:
        ValueError: If a setting is out of range.

    Source:
        A.-X. Shao, NTTA, AMAuT (arXiv 2510.19368) and DHAuDS (arXiv 2511.18421).
    """

    name = "ntta"

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float = 0.04,
        parameters: Selection = "norm",
        optimizer: OptimizerName = "adam",
        nuclear_norm: float = 1.0,
        entropy: float = 1.0,
        generalised_entropy: float = 0.0,
        diversity: float = 0.0,
        consistency: float = 0.0,
        form: Form = "exact",
        q: float = 0.9,
        views: int = 2,
        max_shift: float = 0.1,
        time_axis: int | None = None,
        gamma: float = 10.0,
        batch_share: float = 0.5,
        guard: bool | CollapseGuard = True,
        seed: int = 0,
    ) -> None:
        weights = {
            "nuclear_norm": nuclear_norm,
            "entropy": entropy,
            "generalised_entropy": generalised_entropy,
            "diversity": diversity,
            "consistency": consistency,
        }
        for name, weight in weights.items():
            if weight < 0:
                raise ValueError(f"Argument '{name}' must not be negative, got {weight}.")
        if not any(weights.values()):
            raise ValueError("At least one weight of NTTA must be positive, got zeros only.")
        if views not in (1, 2):
            raise ValueError(f"Argument 'views' must be 1 or 2, got {views}.")
        if consistency and views == 1:
            raise ValueError("Argument 'consistency' compares two views: set views=2, got views=1.")
        if not 0 <= max_shift <= 1:
            raise ValueError(f"Argument 'max_shift' must be in [0, 1], got {max_shift}.")
        if not 0 < batch_share <= 1:
            raise ValueError(f"Argument 'batch_share' must be in (0, 1], got {batch_share}.")
        source = copy.deepcopy(model)
        super().__init__(
            model, learning_rate=learning_rate, parameters=parameters, optimizer=optimizer
        )
        self._source = source.eval()
        self._losses = {
            "nuclear_norm": NuclearNormLoss(form),
            "entropy": EntropyLoss(),
            "generalised_entropy": EntropyLoss(q),
            "diversity": DiversityLoss(),
        }
        self._consistency = ViewConsistencyLoss()
        self._weights = {name: weight for name, weight in weights.items() if weight}
        self.n_views = views
        self.max_shift = max_shift
        self.time_axis = time_axis
        self.gamma = gamma
        self.batch_share = batch_share
        self.guard = CollapseGuard() if guard is True else guard or None
        self.seed = seed
        self._progress = 0.0
        self._generator = torch.Generator().manual_seed(seed)

    def step(self, features: torch.Tensor) -> Step:
        """Predict a batch and learn from it if the guard allows; see `AdaptationMethod.step`."""
        if self.guard is None or not torch.isfinite(features).all():
            return super().step(features)
        source_logits = self._predict_with_source(features)
        if self.guard.sees_narrow(source_logits):
            return Step(source_logits, "held")
        step = super().step(features)
        if step.event == "adapted" and self.guard.sees_collapse(step.logits):
            self._restore()
            self.set_progress(self._progress)
            self.guard.forget_adapted()
            return Step(source_logits, "reset", step.terms)
        return step

    def reset(self) -> None:
        """Restore the source model, the initial guard and the initial random state."""
        super().reset()
        self._progress = 0.0
        self._generator.manual_seed(self.seed)
        if self.guard is not None:
            self.guard.forget()

    def state(self) -> dict[str, Any]:
        """State with the guard and the random shifts; see `AdaptationMethod.state`."""
        guard = self.guard.state() if self.guard else None
        return super().state() | {"guard": guard, "random": self._generator.get_state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state; see `AdaptationMethod.load_state`."""
        super().load_state(state)
        self._generator.set_state(state["random"])
        if self.guard is not None:
            self.guard.load_state(state["guard"])

    def set_progress(self, progress: float) -> None:
        """Set the learning rate of the next pass.

        Args:
            progress: Finished share of the passes, in [0, 1).
        """
        assert self._optimizer is not None  # NTTA always has parameters to learn
        self._progress = progress
        for group in self._optimizer.param_groups:
            group["lr"] = decayed(self.learning_rate, progress, self.gamma)

    def views(self, features: torch.Tensor) -> list[torch.Tensor]:
        """Features shifted forward and back, or the unshifted features with one view."""
        if self.n_views == 1:
            return [features]
        axis = find_time_axis(features) if self.time_axis is None else self.time_axis
        limit = int(self.max_shift * features.shape[axis])
        shifts = torch.randint(limit + 1, (2,), generator=self._generator).tolist()
        return [features.roll(shift, axis) for shift in (shifts[0], -shifts[1])]

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weighted loss terms, means over the views."""
        terms = {
            name: weight * sum(self._losses[name](part) for part in logits) / len(logits)
            for name, weight in self._weights.items()
            if name != "consistency"
        }
        if "consistency" in self._weights:
            terms["consistency"] = self._weights["consistency"] * self._consistency(*logits)
        return terms

    def _predict(self, features: torch.Tensor) -> torch.Tensor:
        if self.guard is not None:
            source_logits = self._predict_with_source(features)
            if self.guard.is_narrow(source_logits):
                return source_logits
        state = self._generator.get_state()
        logits = super()._predict(features)
        self._generator.set_state(state)
        return logits

    def _predict_with_source(self, features: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return finite_rows(self._source(features))
