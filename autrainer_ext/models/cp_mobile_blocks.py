"""Building blocks of CP-Mobile: an inverted residual with a global response norm."""

import torch
from torch import nn


def round_channels(channels: float, divisor: int = 8) -> int:
    """Round a number of channels to the nearest multiple of `divisor`, at least 90 % of it.

    Args:
        channels: Requested number of channels, positive.
        divisor: Positive divisor of the result.

    Returns:
        Number of channels, at least `divisor`.

    Source:
        Code of Sandler et al. (2018), MobileNetV2: inverted residuals and linear bottlenecks,
        function `_make_divisible`.

    Example:
        >>> round_channels(73.6), round_channels(18)  # 16 would be less than 90 % of 18
        (72, 24)
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def convolution_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 1,
    *,
    stride: int | tuple[int, int] = 1,
    groups: int = 1,
    activation: bool = True,
) -> nn.Sequential:
    """Convolution without bias, batch norm and optional ReLU.

    Args:
        in_channels: Number of input channels.
        out_channels: Number of output channels.
        kernel_size: Odd size of the square kernel; padding keeps the map size at stride 1.
        stride: Stride, or strides along both axes.
        groups: Number of groups of the convolution.
        activation: Whether a ReLU follows.

    Returns:
        Convolution, batch norm and, with `activation`, ReLU.

    Example:
        >>> convolution_norm(1, 8, 3, stride=2)(torch.zeros(2, 1, 5, 6)).shape
        torch.Size([2, 8, 3, 3])
    """
    layers: list[nn.Module] = [
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
    ]
    if activation:
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class GlobalResponseNorm(nn.Module):
    """Global response norm: scales every channel by its norm relative to the other channels.

    y = scale * (x * n) + shift + x, with n_c = g_c / (mean_k g_k + 1e-6) and g_c = ||x_c||_2, the
    norm of channel c over the map. `scale` and `shift` are trained scalars. They are initialised
    with zero, so that the layer starts as the identity. For x = 0 the output is `shift`.

    Source:
        Woo et al. (2023), ConvNeXt V2, algorithm 1, there with one scale and shift per channel.
        Schmid et al. (2023), CP-JKU submission to DCASE 2023 Task 1, with scalars.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise `x`, shape (N, C, H, W), to the same shape."""
        energy = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
        relative = energy / (energy.mean(dim=1, keepdim=True) + 1e-6)
        return self.scale * (x * relative) + self.shift + x


class InvertedResidual(nn.Module):
    """Inverted residual block: expansion, depthwise convolution, projection and shortcut.

    The shortcut exists if the numbers of input and output channels are equal. It is the identity,
    or 3 x 3 average pooling if the block has a stride. The response norm and the ReLU follow the
    sum.

    Args:
        in_channels: Number of input channels.
        out_channels: Number of output channels.
        expansion_rate: Ratio of the hidden channels to `in_channels`.
        stride: Strides (mel, frames).
        response_norm: Whether a global response norm precedes the ReLU.

    Source:
        Sandler et al. (2018), MobileNetV2: inverted residuals and linear bottlenecks. This
        shortcut and the response norm: Schmid et al. (2023), CP-JKU submission to DCASE 2023
        Task 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expansion_rate: float,
        stride: tuple[int, int],
        response_norm: bool,
    ) -> None:
        super().__init__()
        hidden = round_channels(in_channels * expansion_rate)
        self.expand = convolution_norm(in_channels, hidden)
        self.depthwise = convolution_norm(hidden, hidden, 3, stride=stride, groups=hidden)
        self.project = convolution_norm(hidden, out_channels, activation=False)
        self.shortcut: nn.Module | None = None
        if in_channels == out_channels:
            strided = max(stride) > 1
            self.shortcut = nn.AvgPool2d(3, stride, padding=1) if strided else nn.Identity()
        self.response_norm = GlobalResponseNorm() if response_norm else nn.Identity()
        self.activation = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / sh), ceil(W / sw))."""
        y = self.project(self.depthwise(self.expand(x)))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return self.activation(self.response_norm(y))
