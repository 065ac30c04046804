"""Front ends as networks equal the transforms they stand for, clip by clip."""

import pytest
import torch
from autrainer.transforms import Expand, Normalize, PannMel, ScaleRange, StereoToMono

from autrainer_ext.export.front_end import front_end_network
from autrainer_ext.transforms import (
    FixedLength,
    LogMelSpectrogram,
    LogSpectrogram,
    LowestBands,
    RelativeLevel,
)

FOURIER = {"sample_rate": 8000, "n_fft": 256, "win_length": 200, "hop_length": 80}
PANN = PannMel(256, 80, 8000, 50, 4000, 20, 1.0, 1e-10, 60)
PIPELINES = {
    "decibels": [StereoToMono(), LogMelSpectrogram(**FOURIER, n_mels=20, top_db=30.0)],
    "logarithm": [
        LogMelSpectrogram(
            **FOURIER, n_mels=20, log="ln", floor=1e-5, preemphasis=0.97, offset=4.5, divisor=5.0
        )
    ],
    "magnitude": [LogSpectrogram(**FOURIER, power=1.0, window="hamming", periodic=False)],
    "host": [PANN, Normalize([-30.0], [12.0]), ScaleRange([-1.0, 1.0])],
    "relative": [PANN, LowestBands(12), FixedLength(40), RelativeLevel(50)],
}


def one_by_one(transforms, waveforms):
    rows = []
    for each in waveforms:
        for transform in transforms:
            each = transform(each)
        rows.append(each)
    return torch.stack(rows)


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("n_samples", [1500, 3120, 8000])
def test_batches_equal_single_clips(name, n_samples):
    generator = torch.Generator().manual_seed(n_samples)
    decay = torch.linspace(1, 0.01, n_samples)
    waveforms = 0.1 * decay * torch.randn(4, 1, n_samples, generator=generator)
    waveforms[1] = waveforms[1].flip(-1)  # the loudest part is elsewhere
    waveforms[2] *= 100
    found = front_end_network(PIPELINES[name])(waveforms)
    expected = one_by_one(PIPELINES[name], waveforms)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_constant_features_keep_their_value():
    constant = torch.full((2, 1, 3, 4), 5.0)
    assert torch.equal(front_end_network([ScaleRange([0.0, 1.0])])(constant), constant)


def test_unknown_transform_is_named():
    with pytest.raises(ValueError, match="Transform Expand cannot be exported"):
        front_end_network([Expand(5)])
