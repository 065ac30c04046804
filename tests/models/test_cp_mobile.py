import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torchinfo import summary

from autrainer_ext.models import CPMobile, fuse_batch_norms
from autrainer_ext.models.cp_mobile_blocks import GlobalResponseNorm, round_channels


def configured(root, name, output_dim=10):
    config = OmegaConf.to_container(OmegaConf.load(root / f"conf/model/{name}.yaml"))
    assert config.pop("id") == name
    assert config.pop("_target_") == "autrainer_ext.models.CPMobile"
    config.pop("transform")
    return CPMobile(output_dim, **config)


@pytest.fixture
def trained_like():
    """A network whose norms and response norms are far from their initial values."""
    torch.manual_seed(0)
    model = CPMobile(5, base_channels=8, channels_multiplier=2.1, expansion_rate=1.5)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.2, 3)
            module.weight.data.uniform_(-1, 1)
            module.bias.data.normal_()
        if isinstance(module, GlobalResponseNorm):
            module.scale.data.normal_()
            module.shift.data.normal_()
    return model


@pytest.mark.parametrize(
    ("name", "frames", "parameters", "multiply_adds"),
    [
        ("CPMobile", 64, 126_952, 28.89e6),
        ("CPMobile-DCASE24", 65, 61_148, 29.42e6),
        ("CPMobile-14k", 101, 13_996, None),
        ("CPMobile-5k", 101, 5_238, None),
    ],
)
def test_configuration_has_published_size(root, name, frames, parameters, multiply_adds):
    model = configured(root, name)
    report = summary(model, (1, 1, frames, 256), verbose=0)
    assert report.total_params == parameters
    if multiply_adds is not None:
        assert report.total_mult_adds == pytest.approx(multiply_adds, abs=5e3)


def test_default_is_the_published_network(root):
    assert str(CPMobile(10)) == str(configured(root, "CPMobile"))


@pytest.mark.parametrize("frames", [1, 2, 7, 64, 65, 101])
@pytest.mark.parametrize("mel_bins", [1, 5, 64])
def test_any_size_gives_finite_logits(trained_like, frames, mel_bins):
    features = torch.randn(2, 1, frames, mel_bins)
    with torch.inference_mode():
        trained_like.eval()
        assert trained_like(features).shape == (2, 5)
        assert trained_like(features).isfinite().all()
        assert trained_like.embeddings(features).shape == (2, trained_like.head[0].in_channels)


def test_head_of_embeddings_gives_logits(trained_like):
    features = torch.randn(3, 1, 33, 64)
    trained_like.eval()
    embeddings = trained_like.embeddings(features)
    logits = trained_like.head(embeddings[..., None, None]).flatten(1)
    torch.testing.assert_close(logits, trained_like(features), atol=1e-5, rtol=1e-5)


def test_batch_does_not_change_a_sample_in_evaluation(trained_like):
    features = torch.randn(4, 1, 50, 64)
    trained_like.eval()
    alone = torch.cat([trained_like(x[None]) for x in features])
    torch.testing.assert_close(alone, trained_like(features), atol=1e-5, rtol=1e-5)


def test_batch_of_one_trains(trained_like):
    trained_like.train()
    trained_like(torch.randn(1, 1, 101, 64)).sum().backward()
    assert all(p.grad is not None for p in trained_like.parameters())


def test_fusion_keeps_logits_and_leaves_the_model_alone(trained_like):
    features = torch.randn(2, 1, 65, 64)
    trained_like.train()
    before = {name: value.clone() for name, value in trained_like.state_dict().items()}
    fused = fuse_batch_norms(trained_like)
    assert trained_like.training
    assert not fused.training
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused.modules())
    for name, value in trained_like.state_dict().items():
        assert torch.equal(value, before[name]), name
    expected = trained_like.eval()(features)
    scale = expected.abs().max().item()
    torch.testing.assert_close(fused(features), expected, atol=1e-4 * max(1, scale), rtol=0)


def test_response_norm_by_hand():
    layer = GlobalResponseNorm()
    x = torch.tensor([[[[3.0, 4.0]], [[0.0, 5.0]], [[0.0, 0.0]]]])
    assert torch.equal(layer(x), x)
    layer.scale.data.fill_(2.0)
    layer.shift.data.fill_(0.5)
    # norms 5, 5, 0 with mean 10 / 3: relative energies 1.5, 1.5, 0
    expected = torch.tensor([[[[12.5, 16.5]], [[0.5, 20.5]], [[0.5, 0.5]]]])
    torch.testing.assert_close(layer(x), expected, atol=1e-4, rtol=0)
    assert torch.equal(layer(torch.zeros(1, 3, 2, 2)), torch.full((1, 3, 2, 2), 0.5))


@pytest.mark.parametrize(
    ("wanted", "given"), [(73.6, 72), (169.28, 168), (67.2, 64), (4, 8), (18.0, 24)]
)
def test_rounding_of_channels(wanted, given):
    assert round_channels(wanted) == given


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_dim": 1}, "at least 2 classes, got output_dim=1"),
        ({"output_dim": 3, "base_channels": 6}, "multiple of 4, got 6"),
        (
            {"output_dim": 3, "n_blocks": [1, 1]},
            r"each of the 2 blocks of n_blocks=\[1, 1\], got 6",
        ),
    ],
)
def test_impossible_networks_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        CPMobile(**arguments)


def test_other_depths_and_channels():
    model = CPMobile(3, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 1]], in_channels=2)
    assert model.eval()(torch.randn(1, 2, 20, 64)).shape == (1, 3)


def test_mel_axis_is_the_last(trained_like):
    """A stride of (2, 1) in the second stage halves mel bins and keeps frames."""
    trained_like.eval()
    maps = trained_like._maps(torch.randn(1, 1, 64, 128))
    assert maps.shape[2:] == (128 // 16, 64 // 8)


def test_copy_through_yaml_keeps_arguments(tmp_path):
    import audobject

    model = CPMobile(4, base_channels=16, channels_multiplier=1.5, expansion_rate=2.0)
    model.to_yaml(str(tmp_path / "model.yaml"))
    copy = audobject.from_yaml(str(tmp_path / "model.yaml"))
    copy.load_state_dict(model.state_dict())
    features = torch.randn(1, 1, 30, 64)
    assert np.array_equal(model.eval()(features).detach(), copy.eval()(features).detach())
