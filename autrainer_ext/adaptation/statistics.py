"""Batch norm with running statistics that follow the stream batch by batch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def following(norms: Sequence[_BatchNorm], share: float) -> Iterator[None]:
    """Update running statistics with every batch and normalise with the updated statistics.

    mean <- (1 - s) mean + s mean_b, and the variance is that of the mixture; then

    y = weight * (r * x_b + d) + bias,  r = sigma_b / sigma,  d = (mean_b - mean) / sigma

    Here x_b is normalised with the batch alone and passes gradients; r and d are constants. The
    result depends less on the composition of small batches than ordinary batch norm. The running
    statistics keep their updated values after the block.

    Args:
        norms: Batch norms with running statistics. Their `forward` is replaced within the block.
        share: Weight s of the batch, in (0, 1]; 1 uses the batch alone.

    Yields:
        Nothing.

    Source:
        Ioffe (2017), Batch renormalization, algorithm 1; here the running statistics are updated
        before they are used.
    """
    for norm in norms:
        norm.forward = partial(_normalise, norm, share)  # type: ignore[method-assign] # undone below
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _normalise(norm: _BatchNorm, share: float, x: torch.Tensor) -> torch.Tensor:
    running_mean, running_var = norm.running_mean, norm.running_var
    assert running_mean is not None  # see `norms` of `following`
    assert running_var is not None
    mean, var = torch.zeros_like(running_mean), torch.zeros_like(running_var)
    normalised = batch_norm(x, mean, var, None, None, True, 1.0, norm.eps)  # fills mean and var
    distance = mean - running_mean
    running_var.mul_(1 - share).add_(share * var + share * (1 - share) * distance.square())
    running_mean.add_(share * distance)
    sigma = (running_var + norm.eps).sqrt()
    scale = (var + norm.eps).sqrt() / sigma
    shift = (mean - running_mean) / sigma
    if norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    along = [1, -1] + [1] * (x.ndim - 2)
    return torch.addcmul(shift.view(along), normalised, scale.view(along))
