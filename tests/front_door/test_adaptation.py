import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from autrainer_ext import adapt
from autrainer_ext.adaptation import adapt_to


def batches(n=4, size=16, seed=0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, 1, 20, 20, generator=generator) + shift for _ in range(n)]


def states_equal(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_source_network_is_not_changed(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = adapt(network, batches(), method="tent", always=True)
    assert found.decision.served == "adapted"
    assert not states_equal(found.model, network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not found.model.training
    assert type(found.model) is type(network)


def test_model_and_decision_are_those_of_the_room(network):
    """The same call with the functions of the room."""
    expected = adapt_to(network, torch.cat(batches()), method="tent", passes=2, seed=1)
    found = adapt(network, batches(), method="tent", passes=2, seed=1)
    assert states_equal(found.model, expected.model)
    assert found.decision.served == expected.decision.served
    assert found.decision.reason == expected.decision.reason


def test_one_class_is_not_adapted_to(network):
    """Where all predictions are one class, the source network is served."""
    with torch.no_grad():
        network[-1].bias[1] = 100.0
    found = adapt(network, batches())
    assert found.decision.served == "source"
    assert states_equal(found.model, network)


def test_batches_of_loaders_arrays_and_tensors_are_the_same(network):
    whole = torch.cat(batches())
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(whole, torch.zeros(len(whole))), batch_size=10
    )
    expected = adapt(network, whole, method="tent", always=True).model
    for data in (loader, whole.numpy(), batches(), (batch for batch in batches())):
        assert states_equal(adapt(network, data, method="tent", always=True).model, expected)


def test_networks_with_other_norms_and_inputs_are_adapted():
    torch.manual_seed(0)
    network = nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3))
    found = adapt(network, torch.randn(40, 5), method="tent", always=True)
    assert found.decision.served == "adapted"


def test_folder_of_recordings_adapts_the_shipped_model(root, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * rng.normal(size=8000), 16000)
    (tmp_path / "text.wav").write_text("no audio")
    found = adapt(root / "model", tmp_path)
    assert found.decision.served == "source"
    assert "4 files are too few" in found.decision.reason
    assert found.errors["filename"].tolist() == ["text.wav"]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ([], {}, "no batches"),
        (torch.randn(1, 1, 20, 20), {}, "At least two samples are needed, got 1"),
        ([torch.randn(2, 1, 20, 20), torch.randn(2, 1, 9, 20)], {}, "must have one shape"),
        (batches(), {"method": "tnet"}, "Did you mean 'tent'"),
        (batches(), {"method": "tent", "lr": 1}, "unexpected keyword argument 'lr'"),
        ("nowhere", {"front_end": "log_mel_16k"}, "'nowhere' does not exist"),
    ],
)
def test_wrong_input_is_reported(network, data, options, message):
    with pytest.raises(ValueError, match=message):
        adapt(network, data, **options)


def test_network_without_norms_is_refused():
    with pytest.raises(ValueError, match="no norm layers"):
        adapt(nn.Linear(3, 2), torch.randn(9, 3))
