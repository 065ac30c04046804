"""Protocols of adaptation: order, batches, passes and which predictions are evaluated."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from autrainer_ext.errors import unknown_name

from .guard import predicted_class_entropy
from .losses import information
from .parameters import ParameterAverage, Snapshot
from .procedure import AdaptationMethod, Step
from .streams import ORDERS, Order, batches, stream_order

Mode = Literal["online", "offline", "episodic"]


@dataclass(frozen=True)
class Protocol:
    """Settings of adaptation and evaluation; no method uses labels.

    Attributes:
        mode: "online" (default): every batch is seen once. "offline": `passes` over all batches,
            each in a new order, then prediction of all samples. "episodic": the method is reset
            before every batch.
        order: Order of the samples; see `stream_order`. Default: "shuffled". "class_correlated"
            uses labels to arrange the stream; the method does not see them.
        batch_size: Number of samples in a batch. Default: 32.
        predict: Online mode: whether the predictions "before" (default) or "after" the update with
            a batch are evaluated. The other modes always evaluate predictions after the update.
        passes: Offline mode: number of passes. Default: 1.
        keep: Offline mode: which state is evaluated, that after the "last" pass (default), that
            with the most "information", the mutual information of samples and predictions, or the
            "average" of the parameters after the steps of the second half, which depends less on
            the seed.
        seed: Seed of the order. Default: 0.

    Raises:
        ValueError: If a setting is unknown or out of range.
    """

    mode: Mode = "online"
    order: Order = "shuffled"
    batch_size: int = 32
    predict: Literal["before", "after"] = "before"
    passes: int = 1
    keep: Literal["last", "information", "average"] = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (
            ("mode", ("online", "offline", "episodic")),
            ("order", ORDERS),
            ("predict", ("before", "after")),
            ("keep", ("last", "information", "average")),
        ):
            if getattr(self, name) not in known:
                raise unknown_name(name, getattr(self, name), known)
        for name in ("batch_size", "passes"):
            if getattr(self, name) < 1:
                raise ValueError(f"Argument '{name}' must be positive, got {getattr(self, name)}.")
        if self.passes > 1 and self.mode != "offline":
            raise ValueError(f"{self.passes} passes need the mode 'offline', got '{self.mode}'.")

    @property
    def name(self) -> str:
        """Mode with its settings, such as "online-before" or "offline-3-last"."""
        if self.mode == "online":
            return f"online-{self.predict}"
        return f"offline-{self.passes}-{self.keep}" if self.mode == "offline" else self.mode


@dataclass(frozen=True)
class Outcome:
    """Predictions and steps of one adaptation.

    Attributes:
        logits: Logits to evaluate, shape (N, C), in the order of the features, on the CPU.
        order: Positions of the samples in order of arrival in the last pass, shape (N,).
        steps: One row per step: pass, step, n_samples, event, predicted_entropy (entropy of the
            predicted classes of the batch in bits), and the loss with each of its terms if there
            is a loss.
        accepted: Whether a sample was in a step that the network learnt from and that was not
            reset later, shape (N,); True for methods that do not learn.
        seconds_per_sample: Time of steps and evaluated predictions per sample and pass.
    """

    logits: torch.Tensor
    order: np.ndarray
    steps: list[dict]
    accepted: np.ndarray
    seconds_per_sample: float


def adapt(
    method: AdaptationMethod,
    features: torch.Tensor,
    protocol: Protocol,
    *,
    targets: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    after_pass: Callable[[torch.Tensor], None] | None = None,
) -> Outcome:
    """Adapt a method to features under a protocol.

    The method is reset first and stays adapted afterwards.

    Args:
        method: Adaptation method.
        features: Features, shape (N, ...), N at least 1, on the device of the network.
        protocol: Protocol.
        targets: Targets, shape (N,), used for the order "class_correlated" only.
        groups: Group of every sample, shape (N,), used for the orders "grouped" and "stratified".
        after_pass: Function called with the logits of all samples after every offline pass. It
            does not affect the adaptation. Default: none.

    Returns:
        Predictions and steps.

    Raises:
        ValueError: If there is no sample, or targets or groups are missing that the order needs.
    """
    if len(features) == 0:
        raise ValueError("There is no sample to adapt to.")
    method.reset()
    logits = features.new_zeros(len(features), method.n_classes)
    steps: list[dict] = []
    best: tuple[float, Snapshot] | None = None
    average = ParameterAverage(method.learning)
    n_steps = protocol.passes * -(-len(features) // protocol.batch_size)
    accepted = np.full(len(features), not method.learns)
    begin = time.perf_counter()
    for pass_index in range(protocol.passes):
        order = stream_order(
            protocol.order,
            len(features),
            seed=protocol.seed + pass_index,
            targets=targets,
            groups=groups,
        )
        if protocol.mode == "offline":
            method.set_progress(pass_index / protocol.passes)
        for positions in batches(order, protocol.batch_size):
            batch = features[positions]
            if protocol.mode == "episodic":
                method.reset()
            step = method.step(batch)
            steps.append(_row(pass_index, len(steps), step))
            if step.event == "adapted":
                accepted[positions] = True
            elif step.event == "reset":
                accepted[:] = False
                average.forget()
            if protocol.keep == "average" and 2 * len(steps) > n_steps:
                average.add()
            if protocol.mode == "online" and protocol.predict == "before":
                logits[positions] = step.logits
            elif protocol.mode != "offline":
                logits[positions] = method.predict(batch)
        if protocol.mode != "offline":
            continue
        if after_pass is not None or protocol.keep == "information":
            now = predict(method, features, protocol)
        if after_pass is not None:
            after_pass(now)
        if protocol.keep == "information" and (best is None or information(now) > best[0]):
            best = information(now), Snapshot(method.model)
    if best is not None:
        best[1].restore()
    average.apply()
    if protocol.mode == "offline":
        logits = predict(method, features, protocol)
    seconds = time.perf_counter() - begin
    n_seen = len(features) * protocol.passes
    return Outcome(logits.cpu(), order, steps, accepted, seconds / n_seen)


def predict(method: AdaptationMethod, features: torch.Tensor, protocol: Protocol) -> torch.Tensor:
    """Predict all features in shuffled batches, without adaptation.

    Args:
        method: Adaptation method in its current state, which does not change.
        features: Features, shape (N, ...).
        protocol: Protocol with the batch size and the seed of the order.

    Returns:
        Logits, shape (N, C).
    """
    logits = features.new_zeros(len(features), method.n_classes)
    order = stream_order("shuffled", len(features), seed=protocol.seed)
    for positions in batches(order, protocol.batch_size):
        logits[positions] = method.predict(features[positions])
    return logits


def settle(
    method: AdaptationMethod,
    features: torch.Tensor,
    *,
    batch_size: int,
    seed: int = 0,
    source_samples: float = 16.0,
) -> None:
    """Set the running statistics of the batch norms to those of the folder and of the source.

    statistics = (N folder + N_s source) / (N + N_s), where those of the folder are means over its
    batches

    The network can then be served in evaluation mode, one sample at a time, although it was adapted
    in batches. Samples that are not finite are ignored. Batch norms that did not run keep their
    statistics. Nothing changes if the method does not use batch statistics or fewer than two
    samples are finite.

    Args:
        method: Adapted method.
        features: Features to trust, shape (N, ...), such as those of `Outcome.accepted`.
        batch_size: Number of samples in a batch.
        seed: Seed of the order of the samples. Default: 0.
        source_samples: Number of samples N_s that the source counts as, not negative. Default: 16.

    Source:
        Schneider et al. (2020), Improving robustness against common corruptions by covariate shift
        adaptation, equation 3.
    """
    features = features[torch.isfinite(features).flatten(1).all(dim=1)]
    if not method.uses_batch_statistics or len(features) < 2:
        return
    momenta = [norm.momentum for norm in method.norms]
    for norm in method.norms:
        norm.reset_running_stats()
        norm.momentum = None  # mean over all batches
    order = stream_order("shuffled", len(features), seed=seed)
    for positions in batches(order, batch_size):
        if len(positions) > 1:
            method.follow_statistics(features[positions])
    weight = len(features) / (len(features) + source_samples)
    for norm, momentum, source in zip(method.norms, momenta, method.source_statistics, strict=True):
        norm.momentum = momentum
        ran = bool(norm.num_batches_tracked)
        for buffer, value in zip(norm.buffers(recurse=False), source, strict=True):
            if not ran:
                buffer.copy_(value)
            elif buffer.is_floating_point():
                buffer.lerp_(value, 1 - weight)


def _row(pass_index: int, number: int, step: Step) -> dict:
    return {
        "pass": pass_index,
        "step": number,
        "n_samples": len(step.logits),
        "event": step.event,
        "predicted_entropy": predicted_class_entropy(step.logits),
        **({"loss": sum(step.terms.values())} if step.terms else {}),
        **step.terms,
    }
