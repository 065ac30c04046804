import numpy as np
import pytest
import torch

from autrainer_ext.corruptions import ALL_CORRUPTIONS, CORRUPTIONS, DHAUDS, corrupt

from .conftest import RATE, RESPONSE, clips, peak_hertz, snr_db, tone

KEEP_TIME = [name for name in CORRUPTIONS if name not in ("pitch_shift", "time_stretch")]
SOUNDS = {
    "noises": [clips(1, 5000, seed=1)[0], clips(1, 40000, seed=2)[0]],
    "responses": [RESPONSE],
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
        (("fog", 1), r"Unknown corruption 'fog'. Choose from: white_noise, "),
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
