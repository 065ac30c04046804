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


def test_int8_rounds_the_weights_and_leaves_the_front_end_in_float(clips, contents):
    inputs = [clip.waveform.numpy() for clip in clips[:3]]
    quantised = quantise(contents[WAVEFORM], inputs)
    assert len(quantised) < len(contents[WAVEFORM])
    kernels, sources = (_kernels(content) for content in (quantised, contents[WAVEFORM]))
    assert len(kernels) == len(sources) > 10
    for (values, scales), (source, _) in zip(kernels, sources, strict=True):
        assert values.dtype == np.int8
        scales = scales.reshape(-1, 1, 1, 1)  # one per channel
        assert np.abs(values * scales - source).max() <= 0.501 * scales.max()
    found = as_function(quantised)(clips[0].waveform)
    assert torch.isfinite(found).all()
    assert not torch.equal(found, clips[0].logits)


def _kernels(content):
    """Kernels of the network in the order of its layers, with their scales if they have any."""
    import onnx

    graph = onnx.load_from_string(content).graph
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    makers = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    layers = [node for node in graph.node if node.op_type == "Conv"]
    names = [node.input[1] for node in layers if not node.name.startswith("front_end")]
    return [
        (values[name], None)
        if name in values
        else (values[makers[name].input[0]], values[makers[name].input[1]])
        for name in names
    ]
