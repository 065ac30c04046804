import re

import numpy as np
import pytest
import torch

from autrainer_ext.models import CPMobile, fuse_batch_norms
from autrainer_ext.models.cp_mobile_published import (
    STRIDES_2024,
    infer_arguments,
    rename_published,
)
from autrainer_ext.serving.published import load_cp_mobile


def published_name(name):
    """Independent inverse of the renaming, for networks with three stages of 3, 2 and 1 blocks."""
    first = {0: 1, 1: 4, 2: 6}
    name = re.sub(
        r"stages\.(\d)\.(\d)",
        lambda m: f"stages.s{int(m[1]) + 1}.b{first[int(m[1])] + int(m[2])}",
        name,
    )
    for ours, theirs in {
        "stem.": "in_c.",
        "head.": "feed_forward.",
        "expand.": "block.0.",
        "depthwise.": "block.1.",
        "project.": "block.2.",
        "response_norm.scale": "after_block_norm.gamma",
        "response_norm.shift": "after_block_norm.beta",
    }.items():
        name = name.replace(ours, theirs)
    return name


@pytest.fixture
def small():
    torch.manual_seed(0)
    return CPMobile(4, base_channels=16, channels_multiplier=1.8, expansion_rate=2.1)


def published_state(model, prefix=""):
    return {prefix + published_name(k): v.clone() for k, v in model.state_dict().items()}


def test_published_logits(shared):
    model = load_cp_mobile(shared / "cp_mobile_tau22/state.npz")
    reference = np.load(shared / "cp_mobile_tau22/reference_256x65.npz")
    features = torch.from_numpy(reference["features"]).transpose(2, 3)
    with torch.inference_mode():
        np.testing.assert_allclose(model(features), reference["logits"], atol=1e-4)
        np.testing.assert_allclose(
            fuse_batch_norms(model)(features), reference["logits"], atol=1e-4
        )


def test_published_arguments_are_those_of_the_default(shared):
    with np.load(shared / "cp_mobile_tau22/state.npz") as arrays:
        state = rename_published({k: torch.from_numpy(arrays[k]) for k in arrays.files})
    arguments = infer_arguments(state)
    assert arguments.pop("output_dim") == 10
    assert arguments.pop("strides") is None
    assert arguments == {
        "base_channels": 32,
        "channels_multiplier": 2.3,
        "expansion_rate": 3.0,
        "n_blocks": [3, 2, 1],
        "response_norm": True,
        "in_channels": 1,
    }


def test_checkpoint_of_a_trainer(tmp_path, small):
    state = published_state(small, prefix="model.net.")
    state["mel.window"] = torch.ones(3)
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "last.ckpt")
    features = torch.randn(2, 1, 40, 64)
    expected = small.eval()(features)
    assert torch.equal(load_cp_mobile(tmp_path / "last.ckpt")(features), expected)


def test_network_without_response_norm_has_the_strides_of_2024(tmp_path):
    model = CPMobile(3, 32, 1.8, 2.1, strides=STRIDES_2024, response_norm=False)
    torch.save(published_state(model), tmp_path / "baseline.pt")
    loaded = load_cp_mobile(tmp_path / "baseline.pt")
    assert loaded.strides == STRIDES_2024
    features = torch.randn(1, 1, 65, 256)
    assert torch.equal(loaded(features), model.eval()(features))


def test_code_in_a_checkpoint_is_not_executed(tmp_path):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"state_dict": Attack()}, tmp_path / "evil.ckpt")
    with pytest.raises(ValueError, match="evil.ckpt': The file holds more than weights"):
        load_cp_mobile(tmp_path / "evil.ckpt")
    np.savez(tmp_path / "evil.npz", a=np.array(Attack(), dtype=object))
    with pytest.raises(ValueError, match="evil.npz': The file does not hold weights"):
        load_cp_mobile(tmp_path / "evil.npz")
    assert not (tmp_path / "executed").exists()


def test_other_files_are_named(tmp_path, small):
    with pytest.raises(ValueError, match="none.npz': The file does not exist"):
        load_cp_mobile(tmp_path / "none.npz")
    (tmp_path / "text.ckpt").write_text("weights")
    with pytest.raises(ValueError, match=r"text.ckpt'"):
        load_cp_mobile(tmp_path / "text.ckpt")
    torch.save({"fc.weight": torch.ones(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="'in_c.0.0.weight' is missing"):
        load_cp_mobile(tmp_path / "other.pt")
    state = published_state(small)
    state.pop("stages.s2.b5.block.1.0.weight")
    torch.save(state, tmp_path / "cut.pt")
    with pytest.raises(
        ValueError, match=r"cut.pt'.*not a CP-Mobile: missing.*stages.1.1.depthwise.0.weight"
    ):
        load_cp_mobile(tmp_path / "cut.pt")
