"""Exported files equal the model in torch for every length, batch and number of channels."""

import numpy as np
import pytest
import torch

from autrainer_ext.export.int8 import quantise
from autrainer_ext.export.network import (
    FEATURES,
    TOLERANCE,
    WAVEFORM,
    as_example,
    as_function,
    export_network,
    largest_difference,
)
from autrainer_ext.serving.forward import open_session


@pytest.fixture(scope="module")
def contents(maker, clips):
    return {
        name: export_network(maker.reader, as_example(maker.reader, clips[0], name), name)
        for name in (FEATURES, WAVEFORM)
    }


@pytest.mark.parametrize("name", [FEATURES, WAVEFORM])
def test_file_equals_torch_on_all_lengths(maker, clips, contents, name):
    assert largest_difference(maker.reader, contents[name], clips) < TOLERANCE / 10


def test_recordings_of_a_batch_do_not_influence_each_other(clips, contents):
    alike = [clip for clip in clips if clip.waveform.shape == clips[0].waveform.shape]
    together = as_function(contents[WAVEFORM])(torch.cat([clip.waveform for clip in alike]))
    expected = torch.cat([clip.logits for clip in alike])
    assert len(alike) > 1
    torch.testing.assert_close(together, expected, rtol=1e-4, atol=1e-4)


def test_probabilities_sum_to_one(clips, contents):
    inputs = {WAVEFORM: clips[2].waveform.numpy()}
    (found,) = open_session(contents[WAVEFORM]).run(["probabilities"], inputs)
    assert found.shape == (1, 10)
    assert found.sum() == pytest.approx(1)


def test_other_weights_are_noticed(maker, clips, contents):
    clip = clips[0]
    wrong = type(clip)(clip.name, clip.waveform, clip.features, clip.logits + 0.01)
    with pytest.raises(ValueError, match=r"differs from torch by .* for '0.wav'"):
        largest_difference(maker.reader, contents[FEATURES], [wrong])


def test_int8_holds_weights_of_one_byte_and_the_front_end_in_float(clips, contents):
    import onnx

    sizes = {}
    for name in (FEATURES, WAVEFORM):
        inputs = [clip.input(name).numpy() for clip in clips]
        quantised = quantise(contents[name], inputs)
        sizes[name] = len(quantised) - len(contents[name])
        model = onnx.load_from_string(quantised)
        kinds = [node.op_type for node in model.graph.node]
        n_layers = sum(kind == "Conv" for kind in kinds) - (name == WAVEFORM)  # loudest part
        kernels = [
            onnx.numpy_helper.to_array(each)
            for each in model.graph.initializer
            if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 4
        ]
        assert len(kernels) == n_layers > 10
        found = torch.cat([as_function(quantised)(clip.input(name)) for clip in clips])
        expected = torch.cat([clip.logits for clip in clips])
        assert 1e-3 < float((found - expected).abs().max()) < 0.5 * float(expected.abs().max())
        assert np.isfinite(found.numpy()).all()
    assert sizes[FEATURES] == pytest.approx(sizes[WAVEFORM], abs=2000)
    assert sizes[FEATURES] < 0
