"""Faster evaluation of trained convolutional networks."""

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fuse_batch_norms(model: nn.Module) -> nn.Module:
    """Fold every batch norm that directly follows a convolution into that convolution.

    Only neighbours inside an `nn.Sequential` are folded, since only there the order of
    registration is the order of evaluation.

    Args:
        model: Trained network in any mode; it is left as it is.

    Returns:
        A copy in evaluation mode with the same outputs up to rounding. It cannot be trained
        further: its batch norms are gone.
    """
    fused = copy.deepcopy(model).eval()
    for sequence in fused.modules():
        if isinstance(sequence, nn.Sequential):
            _fuse_neighbours(sequence)
    return fused


def _fuse_neighbours(sequence: nn.Sequential) -> None:
    for index in range(len(sequence) - 1):
        convolution, norm = sequence[index], sequence[index + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            sequence[index] = fuse_conv_bn_eval(convolution, norm)
            sequence[index + 1] = nn.Identity()
