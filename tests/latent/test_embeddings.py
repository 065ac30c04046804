import numpy as np
import pytest
import torch
from torch import nn

from autrainer_ext.latent import embed, outer_layers, subsample


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(6, 3)
        self.unused = nn.Linear(1, 1)

    def forward(self, x):
        return self.head(self.dropout(self.norm(self.convolution(x))).mean(dim=(2, 3)))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def batches():
    return torch.randn(7, 1, 8, 10, generator=torch.Generator().manual_seed(0)).split(3)


def test_embeddings_are_the_outputs_of_the_layers(net):
    found = embed(net, ["convolution", "head"], batches())
    net.eval()
    with torch.no_grad():
        x = torch.cat(batches())
        assert found["convolution"].shape == (7, 480)
        np.testing.assert_allclose(
            found["convolution"], net.convolution(x).flatten(1).numpy(), atol=1e-6
        )
        np.testing.assert_allclose(found["head"], net(x).numpy(), atol=1e-6)


def test_model_is_left_as_it_was(net):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    embed(net, ["norm"], batches())
    assert net.training
    assert not net.norm._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    with pytest.raises(ValueError, match="Layer 'unused' is not used or returns no tensor"):
        embed(net, ["unused"], batches())
    assert not net.unused._forward_hooks
    assert net.training


def test_large_maps_are_averaged_over_neighbours_until_they_fit(net):
    whole = embed(net, ["convolution"], batches())["convolution"].reshape(7, 6, 8, 10)
    small = embed(net, ["convolution"], batches(), max_values=240)["convolution"]
    assert small.shape == (7, 240)  # the longer axis is halved
    halved = whole.reshape(7, 6, 8, 5, 2).mean(axis=4)
    np.testing.assert_allclose(small.reshape(7, 6, 8, 5), halved, atol=1e-6)
    single = embed(net, ["convolution"], batches(), max_values=6)["convolution"]
    assert single.shape == (7, 6)
    with pytest.raises(ValueError, match="'convolution' has 6 channels, more than the 5 values"):
        embed(net, ["convolution"], batches(), max_values=5)


def test_unknown_layer_is_named_with_those_there_are(net):
    for name in ("conv", ""):
        with pytest.raises(
            ValueError, match=f"Unknown layer '{name}'. .*Choose from: convolution, norm, dropout"
        ):
            embed(net, [name], batches())


def test_subsample_follows_its_seed_and_keeps_all_where_there_are_few():
    assert subsample(5, 5, 0).tolist() == [0, 1, 2, 3, 4]
    kept = subsample(1000, 100, 3)
    assert len(set(kept)) == 100
    assert (np.diff(kept) > 0).all()
    assert np.array_equal(kept, subsample(1000, 100, 3))
    assert not np.array_equal(kept, subsample(1000, 100, 4))


def test_outer_layers_are_the_children_or_the_stages_in_them():
    from autrainer_ext.models import CPMobile, DCASE2022Baseline

    expected = {
        DCASE2022Baseline: ["block1", "block2", "block3", "hidden", "head"],
        CPMobile: ["stem.0", "stem.1", "stages.0", "stages.1", "stages.2", "head"],
    }
    for model, layers in expected.items():
        assert outer_layers(model(4)) == layers
