import pytest
import torch
from torch import nn

from autrainer_ext.explanation.attributors import grad_cam, localising_layer


@pytest.mark.parametrize("transposed", [False, True])
def test_grad_cam_is_the_weighted_map_in_the_order_of_the_features(transposed):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.maps = nn.Conv2d(1, 3, 1, bias=False)
            self.head = nn.Linear(3, 2, bias=False)

        def forward(self, features):
            if transposed:
                features = features.transpose(2, 3)
            return self.head(self.maps(features).mean(dim=(2, 3)))

    torch.manual_seed(0)
    model = Pooled()
    features = torch.randn(2, 1, 6, 6)
    target = torch.tensor([1, 0])
    positions = 36
    slope = (model.head.weight @ model.maps.weight[:, :, 0, 0])[target, 0] / positions
    expected = (slope[:, None, None, None] * features).detach()
    found = grad_cam(model, features, target, layer="maps", rectify=False)
    torch.testing.assert_close(found, expected)
    rectified = grad_cam(model, features, target, layer="maps")
    torch.testing.assert_close(rectified, expected.clamp(min=0))


def test_localising_layer_is_the_last_one_with_an_eighth_of_the_positions():
    strided = [nn.Conv2d(1 if k == 0 else 2, 2, 3, stride=2, padding=1) for k in range(5)]
    model = nn.Sequential(*strided, nn.Flatten())
    assert localising_layer(model, torch.zeros(1, 1, 64, 256)) == "2"
    assert localising_layer(model, torch.zeros(1, 1, 63, 251)) == "2"
    with pytest.raises(ValueError, match="No layer of Sequential has maps .* Set the layer"):
        localising_layer(nn.Sequential(nn.Flatten()), torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize(
    ("layer", "message"), [("9", "Unknown layer '9'"), ("6", "'6' has no maps")]
)
def test_layer_without_maps_is_named(network, clips, layer, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(network, *clips, layer=layer)
