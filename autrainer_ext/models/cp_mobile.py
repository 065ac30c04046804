"""CP-Mobile, the compact convolutional network for acoustic scene classification."""

import torch
from autrainer.models import AbstractModel
from torch import nn

from .cp_mobile_blocks import InvertedResidual, convolution_norm, round_channels

_STRIDES_2023 = [[1, 1], [2, 2], [1, 1], [2, 1], [1, 1], [1, 1]]


class CPMobile(AbstractModel):
    """CP-Mobile, a compact convolutional network for spectrograms.

    A stem of two strided convolutions is followed by stages of inverted residual blocks and a
    1 x 1 convolution with global average pooling.

    The defaults are the network published in 2023: 126,952 parameters for 10 classes and one
    input channel, 28.89 million multiply-adds for 64 frames of 256 mel bins.

    `features` have shape (N, in_channels, frames, mel_bins), the order of the host's front ends.
    Internally the mel axis comes first, as in the published weights. The numbers of frames and mel
    bins may be any positive integers; a stride of 2 rounds up. In training, a batch of one
    requires more than 8 frames or more than 16 mel bins with the default strides, since batch
    norm requires more than one position; in evaluation it has no minimum size.

    Args:
        output_dim: Number of classes, at least 2.
        base_channels: Channels of the first stage, a multiple of 4.
        channels_multiplier: Ratio of the channels of one stage to those of the previous stage.
        expansion_rate: Ratio of the hidden channels of a block to its input channels.
        n_blocks: Number of blocks per stage. Default: [3, 2, 1].
        strides: Strides [mel, frames] of every block. Default: those of 2023,
            [[1, 1], [2, 2], [1, 1], [2, 1], [1, 1], [1, 1]].
        response_norm: Whether blocks end with a global response norm (2023) or not (2024).
        in_channels: Number of input channels.

    Raises:
        ValueError: If there are fewer than two classes, `base_channels` is not a positive
            multiple of 4 or `strides` does not hold one pair per block.

    Source:
        Schmid et al. (2023), CP-JKU submission to DCASE23: efficient acoustic scene
        classification with CP-Mobile, DCASE 2023 Challenge technical report, section 2.
    """

    def __init__(
        self,
        output_dim: int,
        base_channels: int = 32,
        channels_multiplier: float = 2.3,
        expansion_rate: float = 3.0,
        n_blocks: list[int] | None = None,
        strides: list[list[int]] | None = None,
        response_norm: bool = True,
        in_channels: int = 1,
    ) -> None:
        if output_dim < 2:
            raise ValueError(f"CPMobile needs at least 2 classes, got output_dim={output_dim}.")
        if base_channels < 4 or base_channels % 4:
            raise ValueError(
                f"Argument 'base_channels' must be a positive multiple of 4, got {base_channels}."
            )
        n_blocks = [3, 2, 1] if n_blocks is None else list(n_blocks)
        strides = _STRIDES_2023 if strides is None else strides
        strides = [[int(mel), int(frames)] for mel, frames in strides]
        if len(strides) != sum(n_blocks):
            raise ValueError(
                "Argument 'strides' must hold one [mel, frames] pair for each of the "
                f"{sum(n_blocks)} blocks of n_blocks={n_blocks}, got {len(strides)}."
            )
        super().__init__(output_dim)
        self.base_channels = base_channels
        self.channels_multiplier = channels_multiplier
        self.expansion_rate = expansion_rate
        self.n_blocks = n_blocks
        self.strides = strides
        self.response_norm = response_norm
        self.in_channels = in_channels

        self.stem = nn.Sequential(
            convolution_norm(in_channels, base_channels // 4, 3, stride=2),
            convolution_norm(base_channels // 4, base_channels, 3, stride=2),
        )
        self.stages, width = self._build_stages()
        self.head = convolution_norm(width, output_dim, activation=False)
        self.apply(_initialise)

    def _build_stages(self) -> tuple[nn.Sequential, int]:
        """All stages, and the number of channels of the last one."""
        strides = iter(self.strides)
        stages, width = [], self.base_channels
        for stage, depth in enumerate(self.n_blocks):
            out = round_channels(self.base_channels * self.channels_multiplier**stage)
            blocks = []
            for _ in range(depth):
                mel, frames = next(strides)
                blocks.append(
                    InvertedResidual(
                        width, out, self.expansion_rate, (mel, frames), self.response_norm
                    )
                )
                width = out
            stages.append(nn.Sequential(*blocks))
        return nn.Sequential(*stages), width

    def _maps(self, features: torch.Tensor) -> torch.Tensor:
        return self.stages(self.stem(features.transpose(2, 3)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of spectrograms.

        Args:
            features: Spectrograms, shape (N, in_channels, frames, mel_bins).

        Returns:
            Logits, shape (N, output_dim).
        """
        return self.head(self._maps(features)).mean(dim=(2, 3))

    def embeddings(self, features: torch.Tensor) -> torch.Tensor:
        """Feature maps before the head, averaged over frequency and time.

        In evaluation the head is affine: applied to the embeddings, it gives the logits.

        Args:
            features: Spectrograms, shape (N, in_channels, frames, mel_bins).

        Returns:
            Embeddings, shape (N, channels of the last stage), not negative.
        """
        return self._maps(features).mean(dim=(2, 3))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
