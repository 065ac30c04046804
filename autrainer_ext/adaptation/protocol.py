"""How a method meets its data: orders, batches, passes, and when predictions count, as data."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from autrainer_ext.errors import unknown_name

from .guard import predicted_class_entropy
from .methods import information
from .parameters import Snapshot
from .procedure import AdaptationMethod, Step
from .streams import ORDERS, Order, batches, stream_order

Mode = Literal["online", "offline", "episodic"]


@dataclass(frozen=True)
class Protocol:
    """A way to adapt and to be judged, none of which sees a label.

    Attributes:
        mode: "online": every batch is seen once. "offline": `passes` over all batches, each pass in
            a new order, then predictions of the whole. "episodic": the method is reset before
            every batch.
        order: Order of the samples. "class_correlated" uses labels to make a stream as it may
            occur; the method does not see them.
        batch_size: Samples in a batch.
        predict: Online: whether the predictions of a batch that count are those "before" or
            "after" its update. Offline and episodic predictions are always those after it.
        passes: Offline: number of passes.
        keep: Offline: the state that is judged, after the "last" pass, or after the one with the
            most "information" of samples about predictions.
        seed: Of the order.

    Raises:
        ValueError: If a setting is unknown or out of its range.
    """

    mode: Mode = "online"
    order: Order = "shuffled"
    batch_size: int = 32
    predict: Literal["before", "after"] = "before"
    passes: int = 1
    keep: Literal["last", "information"] = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (
            ("mode", ("online", "offline", "episodic")),
            ("order", ORDERS),
            ("predict", ("before", "after")),
            ("keep", ("last", "information")),
        ):
            if getattr(self, name) not in known:
                raise unknown_name(name, getattr(self, name), known)
        for name in ("batch_size", "passes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")
        if self.passes > 1 and self.mode != "offline":
            raise ValueError(f"{self.passes} passes need the offline mode, got '{self.mode}'.")

    @property
    def name(self) -> str:
        """The mode with what it leaves open, as "online-before" or "offline-3-last"."""
        if self.mode == "online":
            return f"online-{self.predict}"
        return f"offline-{self.passes}-{self.keep}" if self.mode == "offline" else self.mode


@dataclass(frozen=True)
class Outcome:
    """What a protocol gave.

    Attributes:
        logits: Predictions that count, shape (N, C), in the order of the features.
        order: Positions of the samples as they arrived in the last pass, shape (N,).
        steps: One row per step: pass, step, n_samples, event, predicted_entropy (of the classes
            predicted in the batch, bits), and where there is one the loss
            and every term of it.
        seconds_per_sample: Time of steps and counted predictions over samples seen.
    """

    logits: torch.Tensor
    order: np.ndarray
    steps: list[dict]
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
    """Let a method meet its data. It is reset first and keeps what it learnt.

    Args:
        method: The method.
        features: Samples, shape (N, ...), at least one.
        protocol: How.
        targets: Classes, for the class-correlated order only.
        groups: Groups, for the grouped order only.
        after_pass: Offline: is shown the predictions after every pass. They change nothing.

    Returns:
        Predictions and a record of the steps.

    Raises:
        ValueError: If there are no samples, or the order lacks what it needs.
    """
    if len(features) == 0:
        raise ValueError("There is no sample to adapt to.")
    method.reset()
    logits = features.new_zeros(len(features), method.n_classes)
    steps: list[dict] = []
    best: tuple[float, Snapshot] | None = None
    begin = time.perf_counter()
    for turn in range(protocol.passes):
        order = stream_order(
            protocol.order,
            len(features),
            seed=protocol.seed + turn,
            targets=targets,
            groups=groups,
        )
        if protocol.mode == "offline":
            method.set_progress(turn / protocol.passes)
        for positions in batches(order, protocol.batch_size):
            batch = features[positions]
            if protocol.mode == "episodic":
                method.reset()
            step = method.step(batch)
            steps.append(_row(turn, len(steps), step))
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
    if protocol.mode == "offline":
        logits = predict(method, features, protocol)
    seconds = time.perf_counter() - begin
    return Outcome(logits, order, steps, seconds / (len(features) * protocol.passes))


def predict(method: AdaptationMethod, features: torch.Tensor, protocol: Protocol) -> torch.Tensor:
    """Predictions of a method as it is, in shuffled batches of the protocol's size.

    Args:
        method: The method; nothing of it changes.
        features: Samples, shape (N, ...).
        protocol: Gives the size of the batches and the seed.

    Returns:
        Logits, shape (N, C).
    """
    logits = features.new_zeros(len(features), method.n_classes)
    order = stream_order("shuffled", len(features), seed=protocol.seed)
    for positions in batches(order, protocol.batch_size):
        logits[positions] = method.predict(features[positions])
    return logits


def settle(
    method: AdaptationMethod, features: torch.Tensor, *, batch_size: int, seed: int = 0
) -> None:
    """Make the running statistics of batch norms those of the data, averaged over its batches.

    So the network can be served in evaluation mode, one sample at a time, as it was adapted in
    batches. Methods without batch statistics are left alone, and so are samples that are not
    finite; without two finite samples nothing changes.

    Args:
        method: Adapted method.
        features: The data, shape (N, ...).
        batch_size: Samples in a batch.
        seed: Of the order, which is shuffled.
    """
    features = features[torch.isfinite(features).flatten(1).all(dim=1)]
    if not method.uses_batch_statistics or len(features) < 2:
        return
    momenta = [norm.momentum for norm in method.norms]
    for norm in method.norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average of all batches
    order = stream_order("shuffled", len(features), seed=seed)
    for positions in batches(order, batch_size):
        if len(positions) > 1:
            method.follow_statistics(features[positions])
    for norm, momentum in zip(method.norms, momenta, strict=True):
        norm.momentum = momentum


def _row(turn: int, number: int, step: Step) -> dict:
    return {
        "pass": turn,
        "step": number,
        "n_samples": len(step.logits),
        "event": step.event,
        "predicted_entropy": predicted_class_entropy(step.logits),
        **({"loss": sum(step.terms.values())} if step.terms else {}),
        **step.terms,
    }
