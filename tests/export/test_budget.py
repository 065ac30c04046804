"""Counts of networks that are computed by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from autrainer_ext.export.budget import count_multiply_adds, measure_budget, peak_memory
from autrainer_ext.serving.forward import to_onnx

FLOAT = 4


@pytest.fixture
def network():
    # 1 x 6 x 5 -> 2 x 4 x 3 -> 24 -> 7
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(24, 7)).eval()


def test_multiply_adds_of_a_convolution_and_a_linear_layer(network):
    clip = np.ones((1, 1, 6, 5), "f")
    content = to_onnx(network, torch.from_numpy(clip))
    assert count_multiply_adds(content, clip) == 24 * 9 + 24 * 7


def test_depthwise_convolution_counts_its_own_channel_only():
    clip = np.ones((1, 4, 6, 5), "f")
    content = to_onnx(nn.Conv2d(4, 4, 3, groups=4, bias=False).eval(), torch.from_numpy(clip))
    assert count_multiply_adds(content, clip) == 4 * 4 * 3 * 9


def test_peak_memory_is_that_of_the_largest_layer(network):
    clip = np.ones((1, 1, 6, 5), "f")
    content = to_onnx(network, torch.from_numpy(clip))
    assert peak_memory(content, clip) == FLOAT * (30 + 24)


def test_a_residual_stays_in_memory():
    class Residual(nn.Module):
        def forward(self, x):
            return x + x.sigmoid().tanh()

    clip = np.ones((1, 1, 6, 5), "f")
    content = to_onnx(Residual(), torch.from_numpy(clip))
    assert peak_memory(content, clip) == FLOAT * 3 * 30


def test_counts_grow_with_the_length_and_the_median_lies_in_its_interval(network):
    wide = nn.Sequential(network[0], nn.ReLU()).eval()
    content = to_onnx(wide, torch.ones(1, 1, 6, 5))
    short, long = (measure_budget(content, np.ones((1, 1, n, 5), "f")) for n in (6, 10))
    assert long.multiply_adds == 2 * short.multiply_adds
    assert short.latency_ms_low <= short.latency_ms <= short.latency_ms_high
    assert short.file_bytes == len(content)
