"""Tests of the engine for forward passes: equal outputs, bounded memory, ways that are left."""

import logging
import os
import pickle
import tempfile

import pytest
import torch
from autrainer.models import TorchvisionModel
from torch import nn

from autrainer_ext.models import CPMobile, DCASE2022Baseline
from autrainer_ext.serving.forward import TOLERANCES, ForwardPass, choose_device, forward_pass

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def network():
    """CP-Mobile with norms that have seen data, so that its outputs are not near zero."""
    torch.manual_seed(0)
    model = CPMobile(output_dim=5, base_channels=8)
    for _ in range(3):
        model(3 * torch.randn(8, 1, 40, 32) - 1)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def in_torch(network, features):
    with torch.no_grad():
        return network(features)


def assert_close(found, expected, way="onnxruntime"):
    largest = float(expected.abs().max())
    assert largest > 1e-3
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCES[way] * largest)


class Limited(nn.Module):
    """Network that exceeds the memory with more than three inputs."""

    def __init__(self, error):
        super().__init__()
        self.error, self.sizes = error, []

    def __deepcopy__(self, memo):
        return self  # the test reads the sizes

    def forward(self, features):
        self.sizes.append(len(features))
        if len(features) > 3:
            raise self.error
        return features.flatten(1)


class Unfaithful(nn.Module):
    """Network whose exported form is another function."""

    def forward(self, features):
        sign = -1.0 if torch.onnx.is_in_onnx_export() else 1.0
        return sign * features.flatten(1)


class Branching(nn.Module):
    """Network with a branch; an export contains only the one that short inputs take."""

    def forward(self, features):
        total = features.sum(dim=(2, 3))
        return total if features.shape[2] < 6 else -total


class Unexportable(nn.Module):
    def forward(self, features):
        return torch.fft.rfft(features.flatten(1)).abs()


class TwoOutputs(nn.Module):
    def forward(self, features):
        return features.flatten(1), features.sum(dim=(1, 2, 3))


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_outputs_equal_those_of_the_network(network, backend):
    forward = ForwardPass(network, device="cpu", backend=backend, batch_size=4)
    features = draw(9, 1, 40, 32)
    assert_close(forward(features), in_torch(network, features))
    assert (forward._session is not None) == (backend == "onnxruntime")


def test_outputs_of_a_host_model_are_equal():
    torch.manual_seed(0)
    model = TorchvisionModel(output_dim=3, torchvision_name="resnet18").eval()
    forward = ForwardPass(model, device="cpu")
    features = draw(5, 3, 64, 48)
    assert_close(forward(features), in_torch(model, features))
    assert forward._session is not None


def test_inputs_of_any_length_share_a_session(network):
    forward = ForwardPass(network, device="cpu")
    sessions = set()
    for n_frames in (40, 33, 64, 90, 21, 34):
        features = draw(3, 1, n_frames, 32)
        assert_close(forward(features), in_torch(network, features))
        sessions.add(forward._session)
    assert len(sessions) == 1
    assert None not in sessions
    assert len(forward._checked) == 3  # each check runs the network in torch too


def test_network_of_one_length_is_exported_for_this_length(caplog):
    torch.manual_seed(0)
    model = DCASE2022Baseline(output_dim=4).eval()  # pools to a fixed size
    forward = ForwardPass(model, device="cpu")
    for n_frames, is_exported in ((51, True), (60, False)):
        features = draw(3, 1, n_frames, 40)
        assert_close(forward(features), in_torch(model, features))
        assert (forward._session is not None) == is_exported
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("model", "lengths", "reason"),
    [
        (Unfaithful(), (5, 5), "outputs differ by"),
        (Branching(), (5, 9), "outputs differ by"),
        (Unexportable(), (5, 5), ""),
    ],
)
def test_a_way_that_fails_or_differs_is_left_with_one_line(model, lengths, reason, caplog, capfd):
    forward = ForwardPass(model, device="cpu")
    for length in lengths:
        features = draw(4, 1, length, 3)
        torch.testing.assert_close(forward(features), model(features))
    (message,) = caplog.messages
    name = type(model).__name__
    assert message.startswith(f"onnxruntime is not used for the network {name}: ")
    assert reason in message
    assert "\n" not in message
    assert forward._session is None
    assert capfd.readouterr().out == ""  # the exporter prints a graph


def test_few_inputs_are_not_worth_an_export(network, caplog):
    caplog.set_level(logging.INFO)
    forward = ForwardPass(network, device="cpu", n_expected=99)
    forward(draw(2, 1, 40, 32))
    assert forward._session is None
    assert not caplog.messages
    forward = ForwardPass(network, device="cpu", n_expected=100)
    forward(draw(2, 1, 40, 32))
    assert forward._session is not None


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB)"),
        MemoryError(),
    ],
)
def test_batches_that_exceed_the_memory_are_halved(error):
    model = Limited(error)
    forward = ForwardPass(model, device="cpu", backend="torch", fuse=False)
    features = draw(20, 1, 4, 3)
    torch.testing.assert_close(forward(features), features.flatten(1))
    assert model.sizes[:4] == [20, 10, 5, 2]
    model.sizes.clear()
    torch.testing.assert_close(forward(features), features.flatten(1))
    assert max(model.sizes) <= 3  # the limit is kept


def test_other_errors_and_a_single_input_too_large_are_raised():
    features = draw(4, 1, 2, 2)
    for error in (RuntimeError("wrong shape"), ValueError("wrong")):
        model = Limited(error)
        with pytest.raises(type(error), match="wrong"):
            ForwardPass(model, device="cpu", fuse=False)(features)
        assert model.sizes == [4]
    always = Limited(MemoryError())
    always.forward = lambda features: (_ for _ in ()).throw(MemoryError())
    with pytest.raises(MemoryError):
        ForwardPass(always, device="cpu", fuse=False)(features)


def test_batches_are_full_bounded_and_drawn_when_needed():
    sizes, drawn = [], []

    def model(features):
        sizes.append(len(features))
        return features.flatten(1)

    def groups():
        for size in (3, 0, 9, 1, 4, 2):
            drawn.append(size)
            yield torch.full((size, 1, 2, 2), float(size))

    forward = ForwardPass(model, device="cpu", batch_size=4)
    stream = forward.stream(groups())
    assert next(stream).tolist() == 3 * [4 * [3.0]]
    assert drawn == [3, 0, 9]  # the later ones are not held
    rest = list(stream)
    assert [len(each) for each in rest] == [0, 9, 1, 4, 2]
    assert all((each == len(each)).all() for each in rest)
    assert sizes == [4, 4, 4, 4, 3]
    assert forward.n_inputs == 19


def test_memory_bounds_the_batches_of_long_inputs():
    sizes = []
    forward = ForwardPass(lambda x: sizes.append(len(x)) or x[:, 0, 0, :1], device="cpu")
    forward(torch.zeros(1, 1, 1, 1).expand(40, 1, 2**17, 2))  # 1 MB each, only as a batch
    assert max(sizes) == 2
    sizes.clear()
    forward(torch.zeros(1, 1, 1, 1).expand(3, 1, 2**19, 2))  # larger than a batch may be
    assert sizes == [1, 1, 1]


def test_groups_of_several_shapes_keep_their_order():
    forward = ForwardPass(lambda x: x.sum(dim=(1, 2, 3))[:, None], device="cpu")
    shapes = [(2, 1, 3, 4), (1, 1, 5, 4), (3, 1, 5, 4), (2, 1, 3, 4)]
    groups = [draw(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    for group, found in zip(groups, forward.stream(groups), strict=True):
        torch.testing.assert_close(found, group.sum(dim=(1, 2, 3))[:, None])


@pytest.mark.parametrize("n_groups", [0, 1, 2])
def test_groups_without_inputs_have_empty_outputs(network, n_groups):
    forward = ForwardPass(network, device="cpu")
    outputs = list(forward.stream([torch.empty(0, 1, 40, 32)] * n_groups))
    assert [tuple(each.shape) for each in outputs] == [(0, 5)] * n_groups


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_several_outputs_are_returned(backend):
    forward = ForwardPass(TwoOutputs(), device="cpu", backend=backend, batch_size=3)
    groups = [draw(2, 1, 3, 2, seed=seed) for seed in range(4)]
    for group, (flat, total) in zip(groups, forward.outputs(groups), strict=True):
        torch.testing.assert_close(flat, group.flatten(1))
        torch.testing.assert_close(total, group.sum(dim=(1, 2, 3)))
    assert (forward._session is not None) == (backend == "onnxruntime")


def test_outputs_that_are_not_finite_are_kept():
    forward = ForwardPass(nn.Flatten(), device="cpu")
    features = torch.tensor([[1.0, torch.nan], [torch.inf, 0.0]])[:, None]
    found = forward(features)
    torch.testing.assert_close(found, features.flatten(1), equal_nan=True)
    assert forward._session is not None


def test_the_network_is_not_modified(network):
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    forward = ForwardPass(network, device="cpu")
    forward(draw(2, 1, 40, 32))
    assert network.training
    assert not forward.network.training
    assert type(forward.network) is type(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    network.eval()


def test_outputs_can_be_used_with_gradients(network):
    logits = ForwardPass(network, device="cpu", backend="torch")(draw(2, 1, 40, 32))
    weight = torch.ones(5, requires_grad=True)
    (logits * weight).sum().backward()  # tensors of the inference mode could not be saved for it
    torch.testing.assert_close(weight.grad, logits.sum(0))
    logits += 1


def test_engine_can_be_pickled_and_leaves_no_files(network, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    features = draw(3, 1, 40, 32)
    forward = ForwardPass(network, device="cpu")
    expected = forward(features)
    copied = pickle.loads(pickle.dumps(forward))
    assert copied._session is None
    assert torch.equal(copied(features), expected)
    assert copied._session is not None
    assert os.listdir(tmp_path) == []


def test_an_engine_is_its_own_engine(network):
    forward = ForwardPass(network, device="cpu")
    assert forward_pass(forward, draw(1)) is forward
    assert forward_pass(network, draw(1)).device.type == "cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "xpu", ""])
def test_unknown_devices_are_rejected(name):
    with pytest.raises(ValueError, match=f"Unknown device '{name}'"):
        choose_device(name)


def test_missing_devices_are_rejected():
    with pytest.raises(ValueError, match="'cuda:99' does not exist on this machine"):
        choose_device("cuda:99")


def test_wrong_settings_are_rejected(network):
    with pytest.raises(ValueError, match="Unknown backend 'tensorrt'"):
        ForwardPass(network, device="cpu", backend="tensorrt")
    with pytest.raises(ValueError, match="batch size must be at least 1, got 0"):
        ForwardPass(network, device="cpu", batch_size=0)


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("mixed_precision", [False, True])
def test_outputs_of_a_gpu_equal_those_of_the_processor(network, mixed_precision):
    forward = ForwardPass(network, device="cuda", mixed_precision=mixed_precision)
    features = draw(300, 1, 40, 32)
    found = forward(features)
    assert found.device.type == "cpu"
    way = "half precision" if mixed_precision else "onnxruntime"
    assert_close(found, in_torch(network, features), way)


@needs_gpu
@pytest.mark.gpu
def test_half_precision_that_overflows_is_computed_again():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).eval()
    model[1].weight.data.fill_(1000.0)
    forward = ForwardPass(model, device="cuda", mixed_precision=True)
    forward(torch.ones(2, 4) / 4)
    found = forward(torch.full((2, 4), 100.0))
    assert found.tolist() == 2 * [2 * [400_000.0]]


@needs_gpu
@pytest.mark.gpu
def test_batches_that_exceed_the_memory_of_a_gpu_are_halved():
    class Greedy(nn.Module):
        def forward(self, features):
            total = torch.cuda.get_device_properties(0).total_memory
            torch.empty(len(features) * total // 40, dtype=torch.uint8, device="cuda")
            return features.flatten(1)

    features = draw(100, 1, 2, 2)
    forward = ForwardPass(Greedy(), device="cuda")
    torch.testing.assert_close(forward(features), features.flatten(1))
    assert forward.batch_size_for(features.shape[1:]) < 40
