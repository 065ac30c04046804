import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from autrainer_ext import adapt
from autrainer_ext.adaptation import Protocol, make_method, settle
from autrainer_ext.adaptation import adapt as run_protocol


def batches(n=4, size=16, seed=0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, 1, 20, 20, generator=generator) + shift for _ in range(n)]


def states_equal(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_source_network_is_not_changed(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = adapt(network, batches(), method="tent")
    assert found.decision.served == "adapted"
    assert not states_equal(found.model, network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not found.model.training
    assert type(found.model) is type(network)


def test_model_is_that_of_the_method(network):
    """As with the functions of the room, which need the number of classes."""
    network.output_dim = 3
    found = adapt(network, batches(), method="tent", passes=2, seed=1, learning_rate=0.01)
    features = torch.cat(batches())
    method = make_method("tent", network.eval(), {"learning_rate": 0.01})
    run_protocol(method, features, Protocol(mode="offline", passes=2, batch_size=32, seed=1))
    settle(method, features, batch_size=32, seed=1)
    assert states_equal(found.model, network)


def test_one_class_is_not_learnt_from(network):
    """The guard of NTTA holds where all predictions are one class; the model stays the source."""
    with torch.no_grad():
        network[-1].bias[1] = 100.0
    found = adapt(network, batches())
    assert found.decision.served == "source"
    assert set(found.steps["event"]) == {"held"}
    assert states_equal(found.model, network)


def test_batches_of_loaders_arrays_and_tensors_are_the_same(network):
    whole = torch.cat(batches())
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(whole, torch.zeros(len(whole))), batch_size=10
    )
    expected = adapt(network, whole, method="batch_norm").model
    for data in (loader, whole.numpy(), batches(), (batch for batch in batches())):
        assert states_equal(adapt(network, data, method="batch_norm").model, expected)


def test_statistics_are_those_of_the_new_data(network):
    found = adapt(network, batches(shift=3.0), method="batch_norm", batch_size=64)
    with torch.no_grad():
        inner = network[0](torch.cat(batches(shift=3.0)))
    torch.testing.assert_close(found.model[1].running_mean, inner.mean(dim=(0, 2, 3)))


def test_networks_with_other_norms_and_inputs_are_adapted():
    torch.manual_seed(0)
    network = nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3))
    found = adapt(network, torch.randn(40, 5), method="tent")
    assert found.decision.served == "adapted"


def test_folder_of_recordings_adapts_the_shipped_model(root, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * rng.normal(size=8000), 16000)
    (tmp_path / "text.wav").write_text("no audio")
    found = adapt(root / "model", tmp_path, method="batch_norm")
    assert found.decision.served == "adapted"
    assert found.errors["filename"].tolist() == ["text.wav"]
    assert found.steps["n_samples"].tolist() == [4]


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
