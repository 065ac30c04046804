import audobject
import pytest
import torch
from torch import nn

from autrainer_ext.models import DCASE2022Baseline, fuse_batch_norms

# published table: output shape of a clip and parameters, running statistics counted
TABLE = {
    "block1.0": ((16, 40, 51), 800),
    "block1.1": ((16, 40, 51), 64),
    "block1.2": ((16, 40, 51), 0),
    "block2.0": ((16, 40, 51), 12_560),
    "block2.1": ((16, 40, 51), 64),
    "block2.2": ((16, 40, 51), 0),
    "block2.3": ((16, 8, 10), 0),
    "block3.0": ((16, 8, 10), 0),
    "block3.1": ((32, 8, 10), 25_120),
    "block3.2": ((32, 8, 10), 128),
    "block3.3": ((32, 8, 10), 0),
    "block3.4": ((32, 2, 1), 0),
    "hidden.0": ((32, 2, 1), 0),
    "hidden.1": ((64,), 0),
    "hidden.2": ((100,), 6_500),
    "hidden.3": ((100,), 0),
    "head.0": ((100,), 0),
    "head.1": ((10,), 1_010),
}


def clips(n=3, frames=51, mel_bins=40):
    return torch.randn(n, 1, frames, mel_bins, generator=torch.Generator().manual_seed(0))


def parameters(module):
    running = [b for name, b in module.named_buffers() if name != "num_batches_tracked"]
    return sum(p.numel() for p in [*module.parameters(), *running])


def test_layers_are_those_of_the_published_table():
    model = DCASE2022Baseline(10).eval()
    found = {}
    for name, module in model.named_modules():
        if not list(module.children()):
            module.register_forward_hook(
                lambda m, _, out, name=name: found.update(
                    {name: (tuple(out.shape[1:]), parameters(m))}
                )
            )
    model(clips())
    assert found == TABLE
    assert list(found) == list(TABLE)
    assert sum(count for _, count in found.values()) == 46_246


def test_multiply_adds_are_those_published():
    model = DCASE2022Baseline(10).eval()
    counted = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda m, _, out: (
                    counted.append(m.weight.numel() * out[0, :1].numel())
                    if isinstance(m, nn.Conv2d)
                    else counted.append(m.weight.numel())
                )
            )
    model(clips(1))
    assert sum(counted) == pytest.approx(29.23e6, rel=0.01)


def test_embeddings_of_training_are_without_drop_out():
    model = DCASE2022Baseline(10, dropout=0.9).train()
    with torch.no_grad():
        outputs = [model.embeddings(clips()), model.embeddings(clips())]
        logits = [model(clips()), model(clips())]
    assert torch.equal(*outputs)
    assert not torch.equal(*logits)


def test_second_pooling_takes_windows_of_4_by_10_on_the_published_input():
    x = torch.randn(2, 32, 8, 10)
    pooling = DCASE2022Baseline(10).block3[4]
    assert torch.equal(pooling(x), nn.functional.max_pool2d(x, (4, 10)))


@pytest.mark.parametrize(
    ("layer", "size"), [("block1", 32_640), ("block2", 1280), ("block3", 64), ("hidden", 100)]
)
def test_embeddings_are_the_output_of_the_layer_of_that_name(layer, size):
    torch.manual_seed(0)
    model = DCASE2022Baseline(10, embedding_layer=layer).eval()
    seen = []
    model.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.append(out))
    x = clips()
    model(x)
    embeddings = model.embeddings(x)
    assert embeddings.shape == (3, size)
    assert torch.equal(embeddings, seen[0].flatten(1))


def test_head_of_the_hidden_embeddings_gives_the_logits():
    model = DCASE2022Baseline(10, embedding_layer="hidden").eval()
    x = clips()
    assert torch.equal(model.head(model.embeddings(x)), model(x))


@pytest.mark.parametrize(
    ("frames", "mel_bins"), [(5, 5), (50, 40), (96, 50), (101, 64), (500, 256)]
)
def test_other_inputs_keep_the_number_of_parameters(frames, mel_bins):
    model = DCASE2022Baseline(4).eval()
    assert model(clips(2, frames, mel_bins)).shape == (2, 4)


def test_fused_batch_norms_give_the_same_logits():
    torch.manual_seed(0)
    model = DCASE2022Baseline(10)
    with torch.no_grad():
        model(clips(8))  # running statistics that are not those of the start
    model.eval()
    torch.testing.assert_close(fuse_batch_norms(model)(clips()), model(clips()))


def test_saved_model_is_the_same(tmp_path):
    model = DCASE2022Baseline(7, dropout=0.1, embedding_layer="block3").eval()
    loaded = audobject.from_yaml_s(model.to_yaml_s())
    loaded.load_state_dict(model.state_dict())
    assert torch.equal(loaded.eval()(clips()), model(clips()))
    assert loaded.embedding_layer == "block3"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output_dim": 1}, "at least 2 classes, got output_dim=1"),
        ({"output_dim": 3, "dropout": 1.0}, r"Argument 'dropout' must be in \[0, 1\), got 1.0"),
        (
            {"output_dim": 3, "embedding_layer": "conv2"},
            "Unknown embedding layer 'conv2'.*block1, block2, block3, hidden",
        ),
    ],
)
def test_impossible_settings_are_rejected(settings, message):
    with pytest.raises(ValueError, match=message):
        DCASE2022Baseline(**settings)
