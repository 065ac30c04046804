"""Fusion of batch norms into convolutions, for faster evaluation."""

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fuse_batch_norms(model: nn.Module) -> nn.Module:
    """Fuse every batch norm that directly follows a convolution into that convolution.

    Only adjacent layers of an `nn.Sequential` are fused, since only there the order of registration
    is the order of evaluation.

    Args:
        model: Trained network in any mode; it is not modified.

    Returns:
        Copy in evaluation mode with the same outputs up to rounding. It should not be trained
        further, since the fused batch norms are removed.

    Example:
        >>> from autrainer_ext.models.cp_mobile_blocks import convolution_norm
        >>> [type(layer).__name__ for layer in fuse_batch_norms(convolution_norm(1, 8, 3))]
        ['Conv2d', 'Identity', 'ReLU']
    """
    fused = copy.deepcopy(model).eval()
    _fuse_inside(fused)
    return fused


def _fuse_inside(module: nn.Module) -> None:
    # `modules` would hash the network, which takes a second for models of the host
    if isinstance(module, nn.Sequential):
        _fuse_neighbours(module)
    for child in module.children():
        _fuse_inside(child)


def _fuse_neighbours(sequence: nn.Sequential) -> None:
    for index in range(len(sequence) - 1):
        convolution, norm = sequence[index], sequence[index + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            sequence[index] = fuse_conv_bn_eval(convolution, norm)
            sequence[index + 1] = nn.Identity()
