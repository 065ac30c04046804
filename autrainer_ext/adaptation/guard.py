"""Guard against collapse: whether a network can safely adapt to the batches of a stream."""

import math
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

    If the classes of a batch are uneven, batch statistics remove from the samples what its classes
    share. The predictions of the adapted network then become diverse and wrong, and their entropy
    does not show the failure. The source model, which uses the statistics of training, does: it
    predicts few classes. The guard therefore tracks the predicted-class entropy of the source model
    relative to that of a random batch of the same size from equally frequent classes. A batch is
    safe if the moving average of this relative entropy is at least `narrow`.

    The relative entropy of the adapted network shows whether it collapses to a single class.

    Limits: a source model that a corruption drives to few classes is not distinguished from a
    stream that holds few classes, and is not adapted. Batches of one sample are never safe.

    Args:
        narrow: Smallest safe relative entropy of the source model, in [0, 1]. Default: 0.8.
        collapsed: Smallest safe relative entropy of the adapted network, in [0, 1]. Default: 0.5.
        memory: Weight of the past against a batch of 32 samples, in [0, 1). Default: 0.7.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(self, *, narrow: float = 0.8, collapsed: float = 0.5, memory: float = 0.7) -> None:
        for name, value in {"narrow": narrow, "collapsed": collapsed, "memory": memory}.items():
            if not 0 <= value <= 1 or (name == "memory" and value == 1):
                limits = "[0, 1)" if name == "memory" else "[0, 1]"
                raise ValueError(f"Argument '{name}' must be in {limits}, got {value}.")
        self.narrow = narrow
        self.collapsed = collapsed
        self.memory = memory
        self.forget()

    def forget(self) -> None:
        """Start a new stream."""
        self._source: float | None = None
        self._adapted: float | None = None

    def forget_adapted(self) -> None:
        """Forget the predictions of the adapted network, after it was reset."""
        self._adapted = None

    def state(self) -> dict[str, float | None]:
        """Moving averages, for `load_state`."""
        return {"source": self._source, "adapted": self._adapted}

    def load_state(self, state: dict[str, float | None]) -> None:
        """Continue a stream.

        Args:
            state: Moving averages from `state`.
        """
        self._source, self._adapted = state["source"], state["adapted"]

    def is_narrow(self, source_logits: torch.Tensor) -> bool:
        """Whether the stream would be unsafe with this batch; the batch is not recorded.

        Args:
            source_logits: Logits of the source model, shape (N, C).
        """
        return self._follow(self._source, source_logits) < self.narrow

    def sees_narrow(self, source_logits: torch.Tensor) -> bool:
        """Record a batch and return whether the stream is unsafe with it.

        Args:
            source_logits: Logits of the source model, shape (N, C).
        """
        self._source = self._follow(self._source, source_logits)
        return self._source < self.narrow

    def sees_collapse(self, logits: torch.Tensor) -> bool:
        """Record a batch and return whether the adapted network collapses to few classes.

        Args:
            logits: Logits of the adapted network, shape (N, C).
        """
        self._adapted = self._follow(self._adapted, logits)
        return self._adapted < self.collapsed

    def _follow(self, past: float | None, logits: torch.Tensor) -> float:
        keep = 0.0 if past is None else self.memory ** (len(logits) / 32)
        return keep * (past or 0.0) + (1 - keep) * _relative(logits)


def _relative(logits: torch.Tensor) -> float:
    expected = balanced_entropy(*logits.shape)
    return float(predicted_class_entropy(logits) / expected) if expected else 0.0
