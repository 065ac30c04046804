"""Nuclear-norm test-time adaptation."""

import copy

import torch
from torch import nn

from .guard import CollapseGuard
from .losses import DiversityLoss, EntropyLoss, Form, NuclearNormLoss, ViewConsistencyLoss
from .procedure import AdaptationMethod, Step, finite_rows


def decayed(learning_rate: float, progress: float, gamma: float) -> float:
    """Learning rate of the source's schedule, lr (1 + gamma e / E)^-0.75.

    Args:
        learning_rate: At the start.
        progress: Share of the passes that is done, e / E, in [0, 1).
        gamma: Strength of the decay, 10 in the source; 0 keeps the learning rate.
    """
    return learning_rate * (1 + gamma * progress) ** -0.75


class NTTA(AdaptationMethod):
    """Maximises the nuclear norm of the predictions of time-shifted views.

    L = - w_n mean_v norm(A_v) + w_e mean_v H(p_v) + w_g mean_v S_q(p_v) - w_d mean_v H(p_mean)
        + w_c mean_i ||p_1i - p_2i||

    over the views v, A_v being all predictions p_v of a batch. The views shift the features along
    time, in a circle, one forward and one back by up to `max_shift`; one draw is for the whole
    batch. The prediction is the average over the views. A guard watches the stream: a batch that is
    not safe is predicted by the source model and teaches nothing; a network that drifts to a
    single class is reset.

    Departures from the published code: it sums the views where this takes their mean, so that
    weights do not depend on their number; its generalised entropy takes the first view twice; its
    `nestenv` misspells an option, so that it runs without Nesterov momentum; its schedule and its
    SGD are for tens of passes and remain options (`gamma` acts between passes, so not online); it
    keeps the checkpoint that is best on test labels. Nothing here sees a label.

    Args:
        model: See `AdaptationMethod`, as `learning_rate`, `parameters` and `optimizer`.
        nuclear_norm: w_n, not negative, as all weights.
        entropy: w_e.
        generalised_entropy: w_g.
        diversity: w_d.
        consistency: w_c; needs two views.
        form: Form of the norm, "exact", "column" or "frobenius".
        q: Order of the generalised entropy.
        views: 1, the features as they are, or 2.
        max_shift: Largest shift as a share of the frames, in [0, 1].
        time_axis: Axis of the frames in the features.
        gamma: Decay of the learning rate; see `decayed`.
        batch_share: Weight of a batch in the statistics it is normalised with, in (0, 1]; the
            rest is their moving average over the stream. See `following`.
        guard: Watch over the stream: a guard, True for one with its defaults, or False.
        seed: Of the shifts.

    Raises:
        ValueError: If a setting is out of its range.

    Source:
        A.-X. Shao, NTTA, AMAuT (arXiv 2510.19368) and DHAuDS (arXiv 2511.18421).
    """

    name = "ntta"

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float = 0.04,
        nuclear_norm: float = 1.0,
        entropy: float = 1.0,
        generalised_entropy: float = 0.0,
        diversity: float = 0.0,
        consistency: float = 0.0,
        form: Form = "exact",
        q: float = 0.9,
        views: int = 2,
        max_shift: float = 0.1,
        time_axis: int = 2,
        gamma: float = 10.0,
        batch_share: float = 0.5,
        guard: bool | CollapseGuard = True,
        seed: int = 0,
        **options,
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
                raise ValueError(f"{name} must not be negative, got {weight}.")
        if not any(weights.values()):
            raise ValueError("One of the weights of NTTA must be positive.")
        if views not in (1, 2):
            raise ValueError(f"views must be 1 or 2, got {views}.")
        if consistency and views == 1:
            raise ValueError("consistency compares views: it needs views=2.")
        if not 0 <= max_shift <= 1:
            raise ValueError(f"max_shift must be in [0, 1], got {max_shift}.")
        if not 0 < batch_share <= 1:
            raise ValueError(f"batch_share must be in (0, 1], got {batch_share}.")
        source = copy.deepcopy(model)
        super().__init__(model, learning_rate=learning_rate, **options)
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
        self._generator = torch.Generator().manual_seed(seed)

    def step(self, features: torch.Tensor) -> Step:
        """Predict a batch and learn from it if it is safe; see `AdaptationMethod.step`."""
        if self.guard is None or not torch.isfinite(features).all():
            return super().step(features)
        source_logits = self._ask_source(features)
        if self.guard.sees_narrow(source_logits):
            return Step(source_logits, "held")
        step = super().step(features)
        if step.event == "adapted" and self.guard.sees_collapse(step.logits):
            self._restore()
            self.guard.forget_adapted()
            return Step(source_logits, "reset", step.terms)
        return step

    def reset(self) -> None:
        """Back to the source model; the guard forgets, shifts start anew."""
        super().reset()
        self._generator.manual_seed(self.seed)
        if self.guard is not None:
            self.guard.forget()

    def set_progress(self, progress: float) -> None:
        """Set the learning rate of a pass."""
        for group in self._optimizer.param_groups:
            group["lr"] = decayed(self.learning_rate, progress, self.gamma)

    def views(self, features: torch.Tensor) -> list[torch.Tensor]:
        """The features shifted forward and back, or as they are with one view."""
        if self.n_views == 1:
            return [features]
        limit = int(self.max_shift * features.shape[self.time_axis])
        shifts = torch.randint(limit + 1, (2,), generator=self._generator).tolist()
        return [features.roll(shift, self.time_axis) for shift in (shifts[0], -shifts[1])]

    def terms(self, logits: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weighted terms, averaged over the views."""
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
            source_logits = self._ask_source(features)
            if self.guard.is_narrow(source_logits):
                return source_logits
        state = self._generator.get_state()
        logits = super()._predict(features)
        self._generator.set_state(state)
        return logits

    def _ask_source(self, features: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return finite_rows(self._source(features))
