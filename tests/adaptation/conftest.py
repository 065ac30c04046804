"""A small trained network and all adaptation methods, without importing the host."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from autrainer_ext.adaptation.guard import CollapseGuard
from autrainer_ext.adaptation.lame import LAME
from autrainer_ext.adaptation.methods import EATA, SHOT, BatchNormStatistics, Source, Tent
from autrainer_ext.adaptation.ntta import NTTA
from autrainer_ext.adaptation.sar import SAR
from autrainer_ext.adaptation.t3a import T3A

METHODS = {
    "source": Source,
    "batch_norm": BatchNormStatistics,
    "tent": lambda m: Tent(m, learning_rate=0.01),
    "shot_im": lambda m: SHOT(m, learning_rate=0.01),
    "eata": lambda m: EATA(m, learning_rate=0.01),
    "sar": lambda m: SAR(m, learning_rate=0.01),
    "lame": LAME,
    "t3a": T3A,
    "ntta": lambda m: NTTA(m, learning_rate=0.01, guard=CollapseGuard(narrow=0)),
    "ntta of everything": lambda m: NTTA(
        m, entropy=0.5, generalised_entropy=0.5, diversity=0.5, consistency=0.5, parameters="all",
        optimizer="sgd", guard=False
    ),
}  # fmt: skip
LEARNERS = [name for name in METHODS if name not in ("source", "batch_norm", "lame", "t3a")]
N_CLASSES = 3


class Stripes(nn.Module):
    """Classifier of noise, stripes over time and stripes over frequency, with two norm layers."""

    def __init__(self, norm=nn.BatchNorm2d):
        super().__init__()
        self.output_dim = N_CLASSES
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2, padding=1), norm(8), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1), norm(8), nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, N_CLASSES)

    def embeddings(self, features):
        return self.body(self.stem(features)).mean(dim=(2, 3))

    def forward(self, features):
        return self.head(self.dropout(self.embeddings(features)))


def stripes(n=96, seed=0):
    """Features (N, 1, 16, 12) and their classes."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(n) % N_CLASSES
    features = torch.randn(n, 1, 16, 12, generator=generator)
    features[targets == 1, :, ::2] += 0.8
    features[targets == 2, :, :, ::2] += 0.8
    return features, targets.numpy()


@pytest.fixture(scope="session")
def trained():
    torch.manual_seed(0)
    model = Stripes()
    features, targets = stripes(192, seed=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        loss = nn.functional.cross_entropy(model(features), torch.from_numpy(targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture
def model(trained):
    return copy.deepcopy(trained)


@pytest.fixture
def data():
    """Test data from a device that compresses, tilts the spectrum and raises the level."""
    features, targets = stripes(96, seed=2)
    return 0.6 * features + torch.linspace(0, 1, 12), targets


def accuracy(logits, targets):
    return float(np.mean(logits.argmax(1).numpy() == targets))


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same_bits(first, second):
    """Whether two states agree bit for bit, nan included."""
    return first.keys() == second.keys() and all(
        torch.equal(
            first[name].flatten().view(torch.uint8), second[name].flatten().view(torch.uint8)
        )
        for name in first
    )
