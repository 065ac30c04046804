"""Freq-MixStyle: frequency statistics mixed between the clips of a batch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from autrainer.augmentations import AbstractAugmentation
from torch.utils.data import default_collate

from autrainer_ext.compat import on_features, unpack, with_features

if TYPE_CHECKING:
    from autrainer.datasets import AbstractDataset


class FreqMixStyle(AbstractAugmentation):
    """Mix the mean and deviation of every frequency bin with those of another clip in the batch.

    Every frequency bin of a clip is standardised over its frames. It then gets the mean and
    deviation l s + (1 - l) s', with s its own statistics, s' those of a random clip of the batch
    and l from Beta(alpha, alpha), one draw per clip. This resembles the effect of another
    microphone on a log spectrogram. Labels are unchanged.

    It works on batches, after all transforms of the clips, which must have the same length; `p`
    is the probability per batch. Like the host's MixUp it is a collate function. Therefore, of
    two such augmentations the last one is used, and a curriculum of the host, whose loader has no
    collate function, trains without it.

    Args:
        alpha: Parameter of the beta distribution, positive; small values mix little.
        order: Position in the pipeline.
        p: Probability of changing a batch.
        generator_seed: Seed of the random draws. Default: the same draws in every process.

    Raises:
        ValueError: If `alpha` is not positive.

    Source:
        Schmid et al. (2022), CP-JKU submission to DCASE22: distilling knowledge for low-complexity
        convolutional neural networks from a patchout audio transformer, section 4; after Zhou
        et al. (2021), Domain generalization with MixStyle, equations 3 to 6. Defaults: training
        of CP-Mobile in 2023.
    """

    def __init__(
        self,
        alpha: float = 0.3,
        order: int = 0,
        p: float = 0.4,
        generator_seed: int | None = None,
    ) -> None:
        if not alpha > 0:
            raise ValueError(f"Argument 'alpha' must be positive, got {alpha}.")
        super().__init__(order, p, generator_seed)
        self.alpha = alpha

    @on_features
    def apply(self, x: torch.Tensor, index: int | None = None) -> torch.Tensor:
        """Return `x` unchanged: a single clip has no partner."""
        return x

    def get_collate_fn(
        self, data: "AbstractDataset", default: Callable[[list], Any] = default_collate
    ) -> Callable[[list], Any]:
        """Return the function that collates samples with `default` and mixes them."""

        def collate(samples: list) -> Any:  # noqa: ANN401  a batch of the host
            batch = default(samples)
            features = unpack(batch)[0]
            if torch.rand(1, generator=self.g).item() < self.p:
                partners = torch.randperm(len(features), generator=self.g)
                shares = _beta(self.alpha, len(features), self.g)
                features = mix_frequency_styles(features, partners, shares)
            return with_features(batch, features)

        return collate


def mix_frequency_styles(
    features: torch.Tensor, partners: torch.Tensor, shares: torch.Tensor, *, eps: float = 1e-6
) -> torch.Tensor:
    """Mix the frequency statistics of every clip with those of its partner.

    Args:
        features: Log spectrograms, shape (N, channels, frames, bins).
        partners: Index in the batch of the partner of every clip, shape (N,).
        shares: Share of the clip's own statistics, in [0, 1], shape (N,). With 1 the clip is
            unchanged.
        eps: Constant added to the variance (over channels and frames) of every bin. A constant
            bin gets the mixed mean and stays constant.

    Returns:
        Mixed features, shape of `features`.

    Example:
        >>> features = torch.tensor([[[[0.0], [2.0]]], [[[10.0], [14.0]]]])
        >>> mixed = mix_frequency_styles(features, torch.tensor([1, 0]), torch.tensor([0.0, 1.0]))
        >>> mixed[0].round(decimals=3).flatten().tolist()  # statistics of the second clip
        [10.0, 14.0]
    """
    mean = features.mean(dim=(1, 2), keepdim=True)
    deviation = (features.var(dim=(1, 2), keepdim=True, unbiased=False) + eps).sqrt()
    shares = shares.to(features).view(-1, 1, 1, 1)
    mixed_mean = torch.lerp(mean[partners], mean, shares)
    mixed_deviation = torch.lerp(deviation[partners], deviation, shares)
    return (features - mean) / deviation * mixed_deviation + mixed_mean


def _beta(alpha: float, n: int, generator: torch.Generator) -> torch.Tensor:
    """Draw n values of Beta(alpha, alpha) with numpy: the sampler of torch takes no generator."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, n))
