"""Guard against collapse: whether a network can safely adapt to the batches of a stream."""

import math
from dataclasses import dataclass
from functools import cache

import torch
from scipy.stats import binom


def predicted_class_entropy(logits: torch.Tensor) -> float:
    """Entropy of the predicted classes of a batch in bits.

    This is H(predicted) in the entropy triangle. At zero, all samples are predicted as one class.

    Args:
        logits: Logits, shape (N, C).

    Returns:
        Entropy in bits, in [0, log2 C]; 0 for an empty batch.
    """
    counts = torch.bincount(logits.argmax(dim=1), minlength=logits.shape[1]).double()
    shares = counts[counts > 0] / max(len(logits), 1)
    return abs(float((shares * shares.log2()).sum()))


@cache
def balanced_entropy(n_samples: int, n_classes: int) -> float:
    """Expected class entropy of a random batch from equally frequent classes, in bits.

    The count of each class follows Binomial(n, 1 / C), and E[H] = -C sum_k P(k) k/n log2 k/n. The
    expectation is below log2 C, since the classes of a random batch are rarely equally frequent.

    Args:
        n_samples: Number of samples in the batch, at least 1.
        n_classes: Number of classes, at least 2.

    Returns:
        Expected entropy in bits, in [0, log2 C).
    """
    return n_classes * sum(
        binom.pmf(k, n_samples, 1 / n_classes) * (k / n_samples) * math.log2(n_samples / k)
        for k in range(1, n_samples + 1)
    )


class CollapseGuard:
    """Decides whether a network can safely adapt to a batch.

    If samples arrive class by class, batch statistics remove the class from the samples. The
    predictions of the adapted network then become diverse and wrong, and their entropy does not
    show the failure. The source model, which uses the statistics of training, does: it predicts few
    classes in each batch, and different ones in the next. The guard therefore tracks the
    predicted-class entropy of the source model relative to that of a random batch of the same size
    from equally frequent classes. A batch is safe if

    - the moving average of this relative entropy is at least `narrow`, or
    - the source model predicts few classes but always the same ones, as under heavy corruption:
      after `patience` samples, the mean entropy of the batches is at least `steady` times that of
      the whole stream, and the whole stream has at least the relative entropy `least`.

    The relative entropy of the adapted network shows whether it collapses to a single class.

    Limits: a stream that stays with one class for longer than the memory of the guard passes as
    steady if the source model is often wrong. Batches of one sample are never safe.

    Args:
        narrow: Smallest safe relative entropy of the source model, in [0, 1]. Default: 0.8.
        steady: Smallest safe ratio of the entropy of batches to that of the stream, in [0, 1].
            Default: 0.97.
        least: Smallest relative entropy of a steady stream, in [0, 1]. Default: 0.4.
        patience: Number of samples before a stream can be steady, not negative. Default: 64.
        collapsed: Smallest safe relative entropy of the adapted network, in [0, 1]. Default: 0.5.
        memory: Weight of the past against a batch of 32 samples, in [0, 1). Default: 0.7. The
            statistics of the whole stream decay half as fast.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        *,
        narrow: float = 0.8,
        steady: float = 0.97,
        least: float = 0.4,
        patience: int = 64,
        collapsed: float = 0.5,
        memory: float = 0.7,
    ) -> None:
        shares = {"narrow": narrow, "steady": steady, "least": least, "collapsed": collapsed}
        for name, value in (shares | {"memory": memory}).items():
            if not 0 <= value <= 1 or (name == "memory" and value == 1):
                limits = "[0, 1)" if name == "memory" else "[0, 1]"
                raise ValueError(f"Argument '{name}' must be in {limits}, got {value}.")
        if patience < 0:
            raise ValueError(f"Argument 'patience' must not be negative, got {patience}.")
        self.narrow = narrow
        self.steady = steady
        self.least = least
        self.patience = patience
        self.collapsed = collapsed
        self.memory = memory
        self.forget()

    def forget(self) -> None:
        """Start a new stream."""
        self._stream: _Stream | None = None
        self._adapted: float | None = None

    def forget_adapted(self) -> None:
        """Forget the predictions of the adapted network, after it was reset."""
        self._adapted = None

    def is_narrow(self, source_logits: torch.Tensor) -> bool:
        """Whether the stream would be unsafe with this batch; the batch is not recorded.

        Args:
            source_logits: Logits of the source model, shape (N, C).
        """
        return not self._is_safe(self._with(source_logits))

    def sees_narrow(self, source_logits: torch.Tensor) -> bool:
        """Record a batch and return whether the stream is unsafe with it.

        Args:
            source_logits: Logits of the source model, shape (N, C).
        """
        self._stream = self._with(source_logits)
        return not self._is_safe(self._stream)

    def sees_collapse(self, logits: torch.Tensor) -> bool:
        """Record a batch and return whether the adapted network collapses to few classes.

        Args:
            logits: Logits of the adapted network, shape (N, C).
        """
        self._adapted = self._follow(self._adapted, logits)
        return self._adapted < self.collapsed

    def _is_safe(self, stream: "_Stream") -> bool:
        if stream.recent >= self.narrow:
            return True
        whole = _relative_entropy(stream.counts)
        return (
            stream.seen_before >= self.patience
            and whole >= self.least
            and stream.batches / float(stream.counts.sum()) >= self.steady * whole
        )

    def _with(self, logits: torch.Tensor) -> "_Stream":
        past, n = self._stream, len(logits)
        counts = torch.bincount(logits.argmax(dim=1), minlength=logits.shape[1]).double()
        now = n * _relative(logits)
        if past is None:
            return _Stream(now / n, counts, now, 0, n)
        keep = self.memory ** (n / 64)
        return _Stream(
            recent=self._follow(past.recent, logits),
            counts=keep * past.counts + counts,
            batches=keep * past.batches + now,
            seen_before=past.seen,
            seen=past.seen + n,
        )

    def _follow(self, past: float | None, logits: torch.Tensor) -> float:
        keep = 0.0 if past is None else self.memory ** (len(logits) / 32)
        return keep * (past or 0.0) + (1 - keep) * _relative(logits)


@dataclass(frozen=True)
class _Stream:
    """Statistics of the predictions of the source model.

    Attributes:
        recent: Moving average of the relative entropy of batches.
        counts: Counts of predicted classes, decaying, shape (C,).
        batches: Sum of relative entropies over samples, decaying at the same rate.
        seen_before: Number of samples before the last batch.
        seen: Number of samples.
    """

    recent: float
    counts: torch.Tensor
    batches: float
    seen_before: int
    seen: int


def _relative(logits: torch.Tensor) -> float:
    expected = balanced_entropy(*logits.shape)
    return predicted_class_entropy(logits) / expected if expected else 0.0


def _relative_entropy(counts: torch.Tensor) -> float:
    shares = counts[counts > 0] / counts.sum()
    return abs(float((shares * shares.log2()).sum())) / math.log2(len(counts))
