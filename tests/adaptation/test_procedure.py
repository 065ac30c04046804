import pytest
import torch
from torch import nn

from autrainer_ext.adaptation.methods import Source, Tent
from autrainer_ext.adaptation.ntta import NTTA
from autrainer_ext.adaptation.protocol import Protocol, adapt

from .conftest import LEARNERS, METHODS, accuracy, same_bits, state


@pytest.mark.parametrize("name", METHODS)
def test_reset_restores_every_bit(name, model, data):
    model.register_buffer("extra", torch.tensor([float("nan"), 1.0]))
    before = state(model)
    features, _ = data
    method = METHODS[name](model)
    first = [method.step(features[:32]).logits for _ in range(3)]
    if name not in ("source", "lame", "t3a"):
        assert not same_bits(before, state(model))
    method.reset()
    assert same_bits(before, state(model))
    second = [method.step(features[:32]).logits for _ in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", LEARNERS)
def test_only_selected_parameters_move(name, model, data):
    before = state(model)
    method = METHODS[name](model)
    events = {method.step(part).event for part in data[0].split(32)}
    assert "adapted" in events
    moved = {key for key, value in state(model).items() if not torch.equal(value, before[key])}
    norms = {f"{layer}.1.{kind}" for layer in ("stem", "body") for kind in ("weight", "bias")}
    running = {
        f"{layer}.1.{kind}"
        for layer in ("stem", "body")
        for kind in ("running_mean", "running_var", "num_batches_tracked")
    }
    rest = {f"{layer}.0.{kind}" for layer in ("stem", "body") for kind in ("weight", "bias")}
    selected = {"shot_im": norms | rest, "ntta of everything": norms | rest | {
        "head.weight", "head.bias"}}.get(name, norms)  # fmt: skip
    assert moved - running <= selected
    assert len(moved - running) >= len(selected) - 2  # a bias before a norm has no gradient


@pytest.mark.parametrize("name", METHODS)
def test_prediction_changes_nothing(name, model, data):
    method = METHODS[name](model)
    method.step(data[0][:32])
    before = state(model)
    first, second = method.predict(data[0]), method.predict(data[0])
    assert torch.equal(first, second)
    assert same_bits(before, state(model))
    assert first.shape == (96, 3)
    assert not first.requires_grad


POISON = {
    "nan audio": lambda x: x.index_fill(0, torch.tensor([3]), float("nan")),
    "infinite audio": lambda x: x.index_fill(0, torch.tensor([3]), float("inf")),
    "overflow": lambda x: x * 1e38,
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", POISON)
def test_what_is_not_finite_is_skipped_and_changes_no_bit(name, kind, model, data):
    method = METHODS[name](model)
    method.step(data[0][:32])
    before = state(model)
    step = method.step(POISON[kind](data[0][:32]))
    assert torch.isfinite(step.logits).all()
    assert torch.isfinite(method.predict(data[0])).all()
    if kind != "overflow":
        assert step.event == "skipped"
    elif step.event == "skipped":
        assert same_bits(before, state(model))
    assert all(torch.isfinite(t).all() for t in model.state_dict().values())


@pytest.mark.parametrize("name", LEARNERS)
def test_gradient_that_is_not_finite_is_skipped(name, model, data, monkeypatch):
    method = METHODS[name](model)
    before = state(model)
    monkeypatch.setattr(
        method, "terms", lambda logits: {"broken": (logits[0].sum() * 0).sqrt() + logits[0].sum()}
    )
    assert method.step(data[0][:32]).event == "skipped"
    assert same_bits(before, state(model))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("stream", ["one sample", "one class", "silence", "alternating"])
def test_awkward_streams_stay_finite(name, stream, model, data):
    features, targets = data
    parts = {
        "one sample": features[:5].split(1),
        "one class": features[targets == 1].split(8),
        "silence": [torch.zeros(8, 1, 16, 12)] * 4,
        "alternating": [features[:1], features[:7], features[:2], features],
    }[stream]
    method = METHODS[name](model)
    for part in parts:
        assert torch.isfinite(method.step(part).logits).all()
    assert all(torch.isfinite(t).all() for t in model.state_dict().values())


@pytest.mark.parametrize("name", METHODS)
def test_one_sample_of_vectors_works(name):
    """Batch norm over vectors has no statistics of a single sample."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)).eval()
    model.output_dim = 3
    model.embeddings = lambda features: model[:2](features)
    method = METHODS[name](model) if "ntta" not in name else NTTA(model, time_axis=1)
    for size in (1, 2, 5, 1):
        assert torch.isfinite(method.step(torch.randn(size, 4)).logits).all()


@pytest.mark.parametrize("name", ["batch_norm", "tent", "shot_im", "ntta"])
def test_adaptation_helps_on_a_new_device(name, model, data):
    features, targets = data
    source = accuracy(Source(model).predict(features), targets)
    adapted = adapt(METHODS[name](model), features, Protocol()).logits
    assert accuracy(adapted, targets) > source + 0.05


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: Tent(m, learning_rate=0), "Argument 'learning_rate' must be positive, got 0"),
        (lambda m: Tent(m, optimizer="lbfgs"), "Unknown optimizer 'lbfgs'. Choose from: adam, sgd"),
        (
            lambda m: Tent(m, parameters="head"),
            "Unknown selection of parameters 'head'",
        ),
        (lambda m: Tent(m.requires_grad_(False)), "All parameters of the network are frozen"),
    ],
)
def test_wrong_settings_are_rejected(model, make, message):
    with pytest.raises(ValueError, match=message):
        make(model)
