"""Streams: the order in which samples arrive, and their batches."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from autrainer_ext.errors import unknown_name

Order = Literal["shuffled", "class_correlated", "grouped", "stratified"]
ORDERS: tuple[Order, ...] = ("shuffled", "class_correlated", "grouped", "stratified")


def stream_order(
    order: Order,
    n_samples: int,
    *,
    seed: int,
    targets: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Draw the order in which samples arrive.

    shuffled:         all samples at random
    class_correlated: one class after the other; classes and the samples of a class at random
    grouped:          one group after the other, such as the recordings of one device; groups and
                      the samples of a group at random
    stratified:       every stretch holds all groups in about their shares, such as classes that
                      the source model predicts; the samples of a group at random

    Args:
        order: Name of the order.
        n_samples: Number of samples.
        seed: Seed of the random draws.
        targets: Targets, shape (n_samples,), for "class_correlated". This order is for studies
            only, since it needs labels.
        groups: Group of every sample, shape (n_samples,), for "grouped" and "stratified"; any type.

    Returns:
        Positions of the samples in order of arrival, a permutation of 0 to n_samples - 1.

    Raises:
        ValueError: If the order does not exist, or targets or groups are missing or do not have
            one value per sample.
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
    if order == "stratified":
        return _interleaved(shuffled, codes, generator)
    turn = generator.permutation(codes.max(initial=-1) + 1)
    return shuffled[np.argsort(turn[codes[shuffled]], kind="stable")]


def _interleaved(
    shuffled: np.ndarray, codes: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Place the k-th of n samples of a group at a random point of the k-th of n equal stretches."""
    place = np.empty(len(shuffled))
    for code in np.unique(codes):
        members = shuffled[codes[shuffled] == code]
        place[members] = (np.arange(len(members)) + generator.random(len(members))) / len(members)
    return np.argsort(place, kind="stable")


def batches(order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Cut a stream into batches.

    Args:
        order: Positions in order of arrival, shape (N,).
        batch_size: Number of samples in a batch; the last batch may have fewer.

    Yields:
        Positions of the samples of one batch.

    Raises:
        ValueError: If `batch_size` is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"Argument 'batch_size' must be positive, got {batch_size}.")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
