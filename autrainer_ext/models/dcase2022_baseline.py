"""Baseline network of DCASE 2022 Task 1, low-complexity acoustic scene classification."""

import torch
from autrainer.models import AbstractModel
from torch import nn

from autrainer_ext.errors import unknown_name

EMBEDDING_LAYERS = ("block1", "block2", "block3", "hidden")


class DCASE2022Baseline(AbstractModel):
    """Baseline network of DCASE 2022 Task 1: three convolutions of 7 x 7 and two dense layers.

    It has 46,246 parameters for 10 classes, counted as in the publication: including the 128
    running means and variances of the batch norms; 46,118 parameters are trained. Momentum and
    epsilon of the batch norms, the initialisation and the dropout are those of the published Keras
    code.

    `features` have shape (N, 1, frames, mel_bins), the order of the host's front ends. Internally
    the mel axis comes first, as in the published network, whose input is 51 frames of 40 mel bins.

    The second pooling is adaptive with an output of 2 bands and 1 frame, so that the number of
    parameters does not depend on the length of the clips. On the published input its windows are
    the published ones, 4 x 10. Inputs need at least 5 frames and 5 mel bins.

    | layer    | output for 51 frames of 40 mel bins, and operations                    |
    |----------|------------------------------------------------------------------------|
    | `block1` | 16 x 40 x 51: convolution, batch norm, ReLU                            |
    | `block2` | 16 x 8 x 10: convolution, batch norm, ReLU, max pooling 5 x 5          |
    | `block3` | 32 x 2 x 1: dropout, convolution, batch norm, ReLU, max pooling 4 x 10 |
    | `hidden` | 100: dropout, dense, ReLU                                              |
    | `head`   | logits: dropout, dense                                                 |

    Args:
        output_dim: Number of classes, at least 2.
        dropout: Dropout probability in training, in [0, 1).
        embedding_layer: Layer whose output is the embedding, one of `EMBEDDING_LAYERS`.

    Raises:
        ValueError: If an argument is out of range or `embedding_layer` is unknown.

    Source:
        Martín-Morató et al. (2022), Low-complexity acoustic scene classification in DCASE 2022
        Challenge, section 4. The second pooling is that of the published code; the paper states
        4 x 100, which is larger than the 10 frames of its input.
    """

    def __init__(
        self, output_dim: int, dropout: float = 0.3, embedding_layer: str = "block2"
    ) -> None:
        if output_dim < 2:
            raise ValueError(
                f"DCASE2022Baseline needs at least 2 classes, got output_dim={output_dim}."
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"Argument 'dropout' must be in [0, 1), got {dropout}.")
        if embedding_layer not in EMBEDDING_LAYERS:
            raise unknown_name("embedding layer", embedding_layer, EMBEDDING_LAYERS)
        super().__init__(output_dim)
        self.dropout = dropout
        self.embedding_layer = embedding_layer

        self.block1 = _convolution(1, 16)
        self.block2 = nn.Sequential(*_convolution(16, 16), nn.MaxPool2d((5, 5)))
        # dropout belongs to the next block, so that embeddings are computed without it
        self.block3 = nn.Sequential(
            nn.Dropout(dropout), *_convolution(16, 32), nn.AdaptiveMaxPool2d((2, 1))
        )
        self.hidden = nn.Sequential(
            nn.Dropout(dropout), nn.Flatten(), nn.Linear(64, 100), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(100, output_dim))
        self.apply(_initialise)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of spectrograms.

        Args:
            features: Spectrograms, shape (N, 1, frames, mel_bins), at least 5 frames and 5 bins.

        Returns:
            Logits, shape (N, output_dim).
        """
        return self.head(self._up_to(features, "hidden"))

    def embeddings(self, features: torch.Tensor) -> torch.Tensor:
        """Flattened outputs of the embedding layer.

        Args:
            features: Spectrograms, shape (N, 1, frames, mel_bins), at least 5 frames and 5 bins.

        Returns:
            Embeddings, not negative, shape (N, D). D = 1,280 for `block2` and 51 frames of 40 mel
            bins.
        """
        return self._up_to(features, self.embedding_layer).flatten(1)

    def _up_to(self, features: torch.Tensor, last: str) -> torch.Tensor:
        x = features.transpose(2, 3)
        for name in EMBEDDING_LAYERS[: EMBEDDING_LAYERS.index(last) + 1]:
            x = getattr(self, name)(x)
        return x


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 7, padding="same"),
        nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.01),
        nn.ReLU(),
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.uniform_(module.weight, -0.05, 0.05)
        nn.init.zeros_(module.bias)
