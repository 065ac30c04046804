"""Networks and clips shared by the tests of attributors."""

import pytest
import torch
from torch import nn


class Linear(nn.Module):
    def __init__(self, frames=6, mel_bins=8, channels=1):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        shape = (3, channels, frames, mel_bins)
        self.weights = nn.Parameter(torch.randn(shape, generator=generator))

    def forward(self, features):
        return torch.einsum("nctf,kctf->nk", features, self.weights)


@pytest.fixture
def linear():
    """Make a linear model, with its clips: linear(channels=1) -> model, features, target."""

    def make(channels=1, n=4):
        model = Linear(channels=channels)
        frames, mel_bins = model.weights.shape[-2:]
        generator = torch.Generator().manual_seed(3)
        features = torch.randn(n, channels, frames, mel_bins, generator=generator)
        return model, features, torch.arange(n) % 3

    return make


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(3),
    )


@pytest.fixture
def clips(network):
    features = torch.randn(5, 1, 12, 16, generator=torch.Generator().manual_seed(2))
    network.eval()
    return features, network(features).argmax(dim=1)
