import math

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from autrainer_ext.corruptions.noise import (
    contaminate,
    draw_white_noise,
    recorded_noise,
    white_noise,
)

from .conftest import RATE, clips, generator, snr_db


def rms(x):
    return float(x.square().mean().sqrt())


def test_mixture_is_the_published_formula():
    clip, noise = draw_white_noise(1000, seed=1) * 0.03, draw_white_noise(1000, seed=2)
    mixed = contaminate(clip, noise, alpha=0.6)
    expected = 0.6 * clip / rms(clip) + 0.4 * noise / rms(noise)
    expected = expected / expected.abs().max() * clip.abs().max()
    torch.testing.assert_close(mixed, expected)


def test_six_tenths_are_three_and_a_half_decibels():
    seconds = torch.arange(16000) / 16000
    clip = torch.sin(2 * math.pi * 1000 * seconds)[None]
    mixed = contaminate(clip, draw_white_noise(16000), alpha=0.6)
    share = float((mixed * clip).sum() / clip.square().sum())
    noise = mixed - share * clip
    assert 20 * math.log10(share * rms(clip) / rms(noise)) == pytest.approx(3.52, abs=0.2)


def test_short_noise_is_repeated_and_long_noise_cut():
    clip, noise = draw_white_noise(10), torch.tensor([[1.0, -1.0, 2.0]])
    repeated = noise.repeat(1, 4)[:, :10]
    torch.testing.assert_close(contaminate(clip, noise), contaminate(clip, repeated))
    longer = torch.cat([repeated, draw_white_noise(50)], dim=1)
    torch.testing.assert_close(contaminate(clip, longer), contaminate(clip, repeated))


def test_all_of_the_clip_is_the_clip():
    clip = draw_white_noise(100) * 0.2
    torch.testing.assert_close(contaminate(clip, draw_white_noise(100, seed=3), alpha=1.0), clip)


def test_channels_get_the_same_noise():
    clip = torch.cat([draw_white_noise(100), draw_white_noise(100, seed=1)])
    mixed = contaminate(clip, draw_white_noise(100, seed=2))
    assert mixed.shape == (2, 100)
    assert float(mixed.abs().max()) == pytest.approx(float(clip.abs().max()))


def test_silence_has_no_level():
    with pytest.raises(ValueError, match="silent recording"):
        contaminate(torch.zeros(1, 9), draw_white_noise(9))
    with pytest.raises(ValueError, match="silent noise"):
        contaminate(draw_white_noise(9), torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"Argument 'alpha' must be in \(0, 1\], got 0"):
        contaminate(draw_white_noise(9), draw_white_noise(9), alpha=0)


def test_real_clip_keeps_its_peak(shared):
    clip, _ = soundfile.read(shared / "esc50_samples/dog.wav", dtype="float32")
    noise, _ = soundfile.read(next((shared / "noises").glob("*.wav")), dtype="float32")
    clip, noise = torch.from_numpy(clip)[None], torch.from_numpy(noise).reshape(1, -1)
    mixed = contaminate(clip, noise)
    assert float(mixed.abs().max()) == pytest.approx(float(clip.abs().max()))


@pytest.mark.parametrize("snr", [-5, 0, 10])
@pytest.mark.parametrize("uniform", [False, True])
def test_white_noise_has_the_ratio_it_says(snr, uniform):
    clean = clips() * torch.tensor([[1.0], [0.1], [0.01]])
    noisy = white_noise(clean, RATE, snr, generator=generator(), uniform=uniform)
    assert snr_db(clean, noisy).tolist() == pytest.approx([snr] * 3, abs=1e-3)
    noise = (noisy - clean).numpy()
    flat = scipy.signal.welch(noise, nperseg=256)[1][:, 2:-2]
    assert (flat.std(1) / flat.mean(1) < 0.2).all()
    kurtosis = (noise**4).mean() / (noise**2).mean() ** 2
    if uniform:
        peak = np.abs(noise).max(1) / np.sqrt((noise**2).mean(1))
        assert peak.tolist() == pytest.approx([3**0.5] * 3, abs=0.05)
    else:
        assert kurtosis > 2.5


@pytest.mark.parametrize("length", [700, 20000])
def test_recorded_noise_is_a_stretch_of_the_recording(length):
    sound = torch.arange(1, length + 1, dtype=torch.float32)
    clean = clips(2, 8000)
    noisy = recorded_noise(clean, RATE, 3, generator=generator(), sounds=[sound])
    assert snr_db(clean, noisy).tolist() == pytest.approx([3, 3], abs=1e-3)
    for added in (noisy - clean).double():
        steps = added.diff()
        jumps = (steps < 0).sum()  # where the recording starts anew
        assert jumps in (8000 // length, 8000 // length + 1)
        assert steps[steps > 0].std() < 0.01 * steps[steps > 0].mean()


def test_silent_recording_adds_nothing():
    clean = clips()
    noisy = recorded_noise(clean, RATE, 3, generator=generator(), sounds=[torch.zeros(99)])
    assert torch.equal(noisy, clean)
