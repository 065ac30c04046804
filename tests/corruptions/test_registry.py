import numpy as np
import pytest
import scipy.signal
import torch

from autrainer_ext.corruptions import ALL_CORRUPTIONS, CORRUPTIONS, DHAUDS, corrupt
from autrainer_ext.corruptions.effects import clipping, pitch_shift, time_stretch
from autrainer_ext.corruptions.filters import (
    band_limit,
    impulse_response,
    low_pass,
    reverberation,
)
from autrainer_ext.corruptions.noise import recorded_noise, white_noise

RATE = 16000
KEEP_TIME = [name for name in CORRUPTIONS if name not in ("pitch_shift", "time_stretch")]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clips(n=3, samples=RATE, seed=0):
    """Noise with a falling spectrum and an envelope, as speech has."""
    white = torch.randn(n, samples, generator=generator(seed))
    spectrum = torch.fft.rfft(white) / (1 + torch.arange(samples // 2 + 1) / 500)
    envelope = torch.hann_window(samples) + 0.01
    return 0.3 * torch.fft.irfft(spectrum, samples) * envelope


def tone(hertz, samples=RATE, rate=RATE):
    return 0.5 * torch.sin(2 * torch.pi * hertz * torch.arange(samples) / rate)[None]


def peak_hertz(waveform, rate=RATE):
    window = torch.hann_window(waveform.shape[-1])
    return torch.fft.rfft(waveform * window).abs().argmax(-1) * rate / waveform.shape[-1]


def snr_db(clean, corrupted):
    """Independent of the code: energies in numpy, per clip."""
    clean, error = clean.double().numpy(), (corrupted - clean).double().numpy()
    return 10 * np.log10((clean**2).sum(1) / (error**2).sum(1))


SOUNDS = {
    "noises": [clips(1, 5000, seed=1)[0], clips(1, 40000, seed=2)[0]],
    "responses": [torch.randn(800, generator=generator(3)) * torch.exp(-torch.arange(800) / 60)],
}


def run(name, severity, waveform, seed=0, rate=RATE):
    sounds = SOUNDS.get(ALL_CORRUPTIONS[name].needs, ())
    return corrupt(waveform, rate, name, severity, seed=seed, sounds=sounds)


@pytest.mark.parametrize("name", KEEP_TIME)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_effect_grows_with_severity(name, rate):
    clean = clips(4, rate)
    ratios = np.array([snr_db(clean, run(name, s, clean, rate=rate)) for s in range(1, 6)])
    assert (np.diff(ratios, axis=0) < 0).all()


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_pitch_moves_further_with_severity(rate):
    clean = tone(440, rate, rate)
    for severity, semitones in enumerate(CORRUPTIONS["pitch_shift"].levels, start=1):
        moved = peak_hertz(run("pitch_shift", severity, clean, rate=rate), rate)
        assert abs(12 * np.log2(moved.item() / 440)) == pytest.approx(semitones, abs=0.15)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_duration_changes_more_with_severity_and_pitch_does_not(rate):
    clean = tone(440, rate, rate)
    for severity, change in enumerate(CORRUPTIONS["time_stretch"].levels, start=1):
        stretched = run("time_stretch", severity, clean, rate=rate)
        speed = rate / stretched.shape[1]
        assert abs(speed - 1) == pytest.approx(change, abs=1e-3)
        assert peak_hertz(stretched, rate).item() == pytest.approx(440, abs=3)


@pytest.mark.parametrize("name", ALL_CORRUPTIONS)
def test_same_seed_same_sound_and_input_is_left_alone(name):
    clean = clips()
    kept = clean.clone()
    first, second = run(name, 2, clean, seed=5), run(name, 2, clean, seed=5)
    assert torch.equal(first, second)
    assert torch.equal(clean, kept)
    assert first.dtype == clean.dtype
    random = not {"low_pass", "band_limit", "clipping", "gain", "impulse_response"} & {name}
    others = [run(name, 2, clean, seed=seed) for seed in range(6, 12)]
    assert random == any(o.shape != first.shape or not torch.equal(o, first) for o in others)


@pytest.mark.parametrize("name", ALL_CORRUPTIONS)
@pytest.mark.parametrize("samples", [1, 2, 100, 513])
def test_short_and_silent_clips_stay_finite(name, samples):
    for clean in (torch.zeros(2, samples), clips(2, max(samples, 2))[:, :samples]):
        assert torch.isfinite(run(name, 2, clean)).all()
    assert not run(name, 2, torch.zeros(2, samples)).any()


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


def test_impulse_is_a_perfect_device():
    clean = clips()
    response = torch.zeros(300)
    response[120] = -0.2
    recorded = impulse_response(clean, RATE, 1.0, generator=generator(), sounds=[response])
    torch.testing.assert_close(recorded, clean, atol=1e-6, rtol=1e-5)


def test_device_is_a_convolution_at_equal_energy():
    clean, (response,) = clips(), SOUNDS["responses"]
    recorded = impulse_response(clean, RATE, 1.0, generator=generator(), sounds=[response])
    peak = int(response.abs().argmax())
    slow = np.stack([np.convolve(c, response)[peak : peak + RATE] for c in clean.double().numpy()])
    slow *= np.sign(response[peak].item()) * np.sqrt(
        (clean.numpy() ** 2).sum(1) / (slow**2).sum(1)
    )[:, None]  # fmt: skip
    np.testing.assert_allclose(recorded.numpy(), slow, atol=1e-5)


@pytest.mark.parametrize(("hertz", "decibels"), [(500, 0), (2000, -3.01), (4000, -48.2)])
def test_low_pass_is_butterworth_of_order_8(hertz, decibels):
    passed = low_pass(tone(hertz), RATE, 2000, generator=generator())
    inner = slice(2000, -2000)
    ratio = passed[0, inner].square().mean() / tone(hertz)[0, inner].square().mean()
    assert 10 * torch.log10(ratio).item() == pytest.approx(decibels, abs=0.3)


@pytest.mark.parametrize(("hertz", "passes"), [(100, False), (1000, True), (6000, False)])
def test_band_limit_keeps_its_band(hertz, passes):
    kept = band_limit(tone(hertz), RATE, (300, 3400), generator=generator())[0, 2000:-2000]
    ratio = (kept.square().mean() / tone(hertz)[0, 2000:-2000].square().mean()).item()
    assert ratio == pytest.approx(1, abs=0.01) if passes else ratio < 0.01


def test_clipping_is_relative_to_the_peak_of_each_clip():
    clean = clips() * torch.tensor([[1.0], [0.1], [0.01]])
    clipped = clipping(clean, RATE, 0.3, generator=generator())
    peaks = clean.abs().amax(1)
    torch.testing.assert_close(clipped.abs().amax(1), 0.3 * peaks)
    quiet = clean.abs() < 0.3 * peaks[:, None]
    assert torch.equal(clipped[quiet], clean[quiet])


def test_both_directions_occur():
    clean = tone(440).repeat(32, 1)
    pitches = peak_hertz(pitch_shift(clean, RATE, 3, generator=generator()))
    assert set((pitches > 440).tolist()) == {True, False}
    stretched = time_stretch(clean, RATE, 0.2, generator=generator())
    ends = (stretched.abs() > 0).int().flip(1).argmax(1)
    assert stretched.shape[1] == round(RATE / 0.8)
    assert set((ends > RATE // 3).tolist()) == {True, False}


@pytest.mark.parametrize("change", [pitch_shift, time_stretch])
def test_no_change_is_the_identity_but_for_the_edges(change):
    clean = clips()
    same = change(clean, RATE, 0.0, generator=generator())
    torch.testing.assert_close(same[:, 600:-600], clean[:, 600:-600], atol=1e-3, rtol=0)


def test_echoes_have_their_energy_and_decay():
    click = torch.zeros(64, RATE)
    click[:, 0] = 1
    echoes = reverberation(click, RATE, (0.4, 3.0), generator=generator()) - click
    energy = echoes.double().square().mean(0)
    assert -10 * torch.log10(energy.sum()).item() == pytest.approx(3, abs=0.1)
    assert energy[: int(0.0029 * RATE)].max() < 1e-15
    decay = torch.log10(energy[1600:3200].mean() / energy[3200:4800].mean()) * 10  # per 0.1 s
    assert decay.item() == pytest.approx(60 * 0.1 / 0.4, abs=0.5)


def test_presets_of_dhauds_draw_from_their_ranges():
    clean = clips()
    seen = {
        round(snr_db(clean, run("dhauds_white_noise", 2, clean, seed=s)).mean(), 2)
        for s in range(60)
    }
    assert seen == {5.0, 5.5, 6.0, 6.5, 7.0}
    assert set(DHAUDS["dhauds_time_stretch"].levels[1]) == {0.08, 0.09, 0.1, 0.11, 0.12}
    assert DHAUDS["dhauds_pitch_shift"].levels == ([4, 5], [5, 6, 7])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fog", 1), "There is no corruption 'fog', only white_noise"),
        (("gain", 6), "severity of 'gain' must be in 1 to 5, got 6"),
        (("dhauds_white_noise", 3), "must be in 1 to 2, got 3"),
        (("gain", 0), "got 0"),
        (("recorded_noise", 1), "'recorded_noise' needs noises: none were given"),
        (("impulse_response", 1), "'impulse_response' needs responses"),
    ],
)
def test_wrong_requests_are_rejected(arguments, message):
    name, severity = arguments
    with pytest.raises(ValueError, match=message):
        corrupt(clips(), RATE, name, severity, seed=0)


def test_shape_is_checked():
    with pytest.raises(ValueError, match=r"shape \(N, samples\), got \(16000,\)"):
        corrupt(clips()[0], RATE, "gain", 1, seed=0)
