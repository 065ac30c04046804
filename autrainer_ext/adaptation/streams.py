"""The order in which samples arrive, and the batches they come in."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from autrainer_ext.errors import unknown_name

Order = Literal["shuffled", "class_correlated", "grouped"]
ORDERS: tuple[Order, ...] = ("shuffled", "class_correlated", "grouped")


def stream_order(
    order: Order,
    n_samples: int,
    *,
    seed: int,
    targets: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Positions of samples in order of their arrival.

    shuffled:         at random
    class_correlated: one class after the other, classes and samples of a class at random
    grouped:          one group after the other, as recordings of one device, at random within

    Args:
        order: Which of them.
        n_samples: Number of samples.
        seed: Of everything random.
        targets: Class of every sample, for "class_correlated": an order for studies only, since
            it needs labels.
        groups: Group of every sample, for "grouped", of any type.

    Returns:
        A permutation of 0 to n_samples - 1.

    Raises:
        ValueError: If there is no such order, or targets or groups are missing or too few.
    """
    if order not in ORDERS:
        raise unknown_name("order", order, ORDERS)
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(n_samples)
    if order == "shuffled":
        return shuffled
    keys = targets if order == "class_correlated" else groups
    if keys is None or len(keys) != n_samples:
        name = "targets" if order == "class_correlated" else "groups"
        raise ValueError(f"Order '{order}' needs {name}, one for each of {n_samples} samples.")
    _, codes = np.unique(np.asarray(keys).astype(str), return_inverse=True)
    turn = generator.permutation(codes.max(initial=-1) + 1)
    return shuffled[np.argsort(turn[codes[shuffled]], kind="stable")]


def batches(order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Cut a stream into batches.

    Args:
        order: Positions, shape (N,).
        batch_size: Samples in a batch; the last one may have fewer.

    Yields:
        Positions of one batch.

    Raises:
        ValueError: If `batch_size` is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be positive, got {batch_size}.")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
