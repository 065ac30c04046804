import pytest
import torch
from torch import nn

from autrainer_ext.adaptation.t3a import T3A


class Plane(nn.Module):
    """Two classes, the axes of a plane."""

    def __init__(self):
        super().__init__()
        self.output_dim = 2
        self.norm = nn.BatchNorm1d(2, affine=False)  # not run: nothing but the head has weights
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(2))
            self.head.bias.zero_()

    def embeddings(self, features):
        return features

    def forward(self, features):
        return self.head(features)


def test_templates_of_a_hand_worked_case():
    method = T3A(Plane(), n_supports=2)
    batch = torch.tensor([[3.0, 4.0 - 3.5], [4.0, 3.0], [5.0, 0.0]])  # all of the first class
    logits = method.step(batch).logits
    # of (1, 0), (3, .5), (4, 3), (5, 0) the last and (3, .5) have the lowest entropy
    direction = torch.tensor([[3.0, 0.5], [5.0, 0.0]])
    template = nn.functional.normalize(direction, dim=1).sum(dim=0)
    expected = torch.stack([batch @ (template / template.norm()), batch[:, 1]], dim=1)
    torch.testing.assert_close(logits, expected)


def test_without_batches_templates_are_the_weights_and_reset_returns_to_them():
    method = T3A(Plane())
    batch = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(method.predict(batch), batch)
    method.step(batch)
    assert not torch.allclose(method.predict(batch), batch)
    method.reset()
    torch.testing.assert_close(method.predict(batch), batch)


def test_unusable_settings_and_networks_are_named(model):
    with pytest.raises(ValueError, match="'n_supports' must be positive, got 0"):
        T3A(model, n_supports=0)
    model.head = nn.Identity()
    with pytest.raises(ValueError, match="Network Stripes has no linear classifier"):
        T3A(model)
