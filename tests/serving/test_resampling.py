import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.serving.audio_files import UnusableFileError
from autrainer_ext.serving.resampling import bounded_ratio, check_rate, resample

USUAL = (8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
PAIRS = list(itertools.permutations(USUAL, 2))


@pytest.mark.parametrize("rates", PAIRS)
def test_usual_rates_are_resampled_as_by_torchaudio(rates):
    samples = torch.randn(2, 3001, generator=torch.Generator().manual_seed(0))
    expected = torchaudio.transforms.Resample(*rates)(samples)
    assert torch.equal(resample(samples, *rates), expected)


@settings(max_examples=300, deadline=None)
@given(st.integers(1000, 768_000), st.integers(1000, 192_000))
def test_the_ratio_has_bounded_terms_and_a_small_error(rate, new_rate):
    ratio = bounded_ratio(rate, new_rate)
    exact = Fraction(rate, new_rate)
    assert max(ratio.numerator, ratio.denominator) <= 2048
    near = 1 / 20 <= exact <= 20
    assert abs(ratio / exact - 1) <= (0.00025 if near else 0.00037)
    if max(exact.numerator, exact.denominator) <= 2048:
        assert ratio == exact


@pytest.mark.parametrize("rate", [44_099, 96_001, 16_001, 1001, 767_999])
def test_an_odd_rate_keeps_pitch_and_length_at_a_bounded_cost(rate):
    seconds, frequency = 2, 300.0
    samples = torch.sin(2 * torch.pi * frequency * torch.arange(seconds * rate) / rate)[None]
    start = time.process_time()
    result = resample(samples, rate, 16_000)
    assert time.process_time() - start < 5  # without a bound, 44,099 Hz takes minutes
    assert result.shape[1] == pytest.approx(seconds * 16_000, rel=0.0003)
    spectrum = np.abs(np.fft.rfft(result[0].numpy() * np.hanning(result.shape[1])))
    peak = spectrum.argmax() * 16_000 / result.shape[1]
    assert peak == pytest.approx(frequency, abs=0.51)
    assert result[0, 2000:-2000].square().mean() == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 2**31 - 1])
def test_rates_that_no_recording_has_are_rejected(rate):
    with pytest.raises(UnusableFileError, match=f"sample rate of {rate} Hz, expected 1000 to"):
        check_rate(rate)


def test_nothing_is_resampled_to_nothing():
    assert resample(torch.zeros(1, 0), 44_100, 16_000).shape == (1, 0)
