import pytest
import torch

from autrainer_ext.models import CPMobile, ShiftedLogits
from autrainer_ext.trust import load_description


@pytest.fixture
def network():
    torch.manual_seed(0)
    return CPMobile(output_dim=3).eval()


def test_the_shift_is_subtracted_and_embeddings_stay(network):
    features = torch.randn(2, 1, 32, 32)
    shifted = ShiftedLogits(network, [1.0, 0.0, -0.5]).eval()
    difference = network(features) - shifted(features)
    torch.testing.assert_close(difference, torch.tensor([[1.0, 0.0, -0.5]]).expand(2, 3))
    torch.testing.assert_close(shifted.embeddings(features), network.embeddings(features))


def test_it_is_saved_and_loaded_like_any_network(network, tmp_path):
    features = torch.randn(2, 1, 32, 32)
    shifted = ShiftedLogits(network, [1.0, 0.0, -0.5]).eval()
    shifted.to_yaml(str(tmp_path / "model.yaml"))
    loaded = load_description(tmp_path / "model.yaml").eval()
    loaded.load_state_dict(shifted.state_dict())
    torch.testing.assert_close(loaded(features), shifted(features))
    assert not torch.equal(loaded(features), network(features))


@pytest.mark.parametrize("shift", [[1.0, 2.0], [1.0, 2.0, float("inf")]])
def test_shifts_that_do_not_fit_are_named(network, shift):
    with pytest.raises(ValueError, match="must hold 3 finite numbers"):
        ShiftedLogits(network, shift)
