"""Building blocks of CP-Mobile: an inverted residual with a global response norm."""

import torch
from torch import nn


def round_channels(channels: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor` that does not lose more than a tenth of `channels`.

    Args:
        channels: Wanted number of channels, positive.
        divisor: Positive integer the result is a multiple of.

    Returns:
        Number of channels, at least `divisor`.

    Source:
        Sandler et al. (2018), MobileNetV2, section 3.4 (width multiplier).
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
    """Convolution without bias, padded to keep the size at stride 1, then batch norm and ReLU."""
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
    """Scales every channel by its energy relative to the other channels.

    With g_c = ||x_c||_2 over the map and n_c = g_c / (mean_k g_k + 1e-6):
    y = scale * (x * n) + shift + x. `scale` and `shift` are single numbers that start at zero,
    so that the layer starts as the identity. A map of zeros stays at `shift`.

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
    """Expand, filter each channel on its own, project; add a shortcut where shapes allow.

    The shortcut exists where the number of channels is kept; with a stride it is a 3 x 3
    average. The response norm and the ReLU come after the sum.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        expansion_rate: Width of the hidden layer relative to `in_channels`.
        stride: Steps along (mel, frames).
        response_norm: Whether a global response norm precedes the ReLU.
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
