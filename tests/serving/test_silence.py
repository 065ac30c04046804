import math

import pytest
from autrainer.transforms import PannMel, StereoToMono

from autrainer_ext.serving.silence import silent_value
from autrainer_ext.transforms import FixedLength, LogMelSpectrogram, RelativeLevel

HOST = [StereoToMono(), PannMel(512, 160, 16000, 50, 8000, 64, 1.0, 1e-10, None)]


def test_silence_of_the_hosts_is_100_db_down():
    assert silent_value(HOST, 16000) == pytest.approx(-100)


def test_silence_of_cp_mobile_is_the_logarithm_of_its_floor():
    front_end = LogMelSpectrogram(
        32000, 4096, 3072, 500, 256, log="ln", floor=1e-5, offset=4.5, divisor=5.0
    )
    assert silent_value([front_end], 32000) == pytest.approx((math.log(1e-5) + 4.5) / 5)


def test_silence_of_relative_levels_is_zero():
    assert silent_value([*HOST, FixedLength(96), RelativeLevel(50)], 16000) == 0


def test_pipelines_without_a_spectrogram_are_named():
    with pytest.raises(ValueError, match=r"shape \(1, 32000\), expected \(channels, frames"):
        silent_value([], 16000)
    with pytest.raises(ValueError, match="features of silence cannot be computed"):
        silent_value([*HOST, StereoToMono(), HOST[1]], 16000)
