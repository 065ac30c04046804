import audobject
import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from scipy.signal import fftconvolve, firwin

from autrainer_ext.augmentations import DeviceImpulseResponse, band_gains
from autrainer_ext.transforms import LogMelSpectrogram

BANDS = {"sample_rate": 16_000, "fmin": 50.0, "fmax": 8000.0, "mel_bins": 64}


def front_end():
    return LogMelSpectrogram(16_000, 512, 512, 160, 64, 50, 8000, "slaney")


def click(rate=16_000, samples=400):
    response = np.zeros(samples)
    response[20] = 0.5
    return response, rate


@pytest.fixture
def folder(tmp_path):
    """A device that changes nothing and one that passes what is below 1 kHz."""
    soundfile.write(tmp_path / "flat.wav", *click(), subtype="DOUBLE")
    soundfile.write(tmp_path / "low.wav", firwin(401, 1000, fs=48_000), 48_000, subtype="DOUBLE")
    return tmp_path


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_delay_and_gain_of_a_device_change_nothing(rate):
    gains = band_gains(*click(rate), **BANDS)
    torch.testing.assert_close(gains, torch.zeros(64), atol=1e-4, rtol=0)


def test_low_pass_keeps_the_bands_below_its_edge_and_none_above():
    response = firwin(801, 2000, fs=48_000)
    gains = band_gains(response, 48_000, **BANDS)
    centres = torch.linspace(0, 1, 64)
    passed = gains > gains.max() - 1
    assert passed.sum() > 20
    assert passed.int().diff().unique().tolist() == [-1, 0]
    assert (gains[centres > 0.7] < gains.max() - 40).all()
    # a quarter of the band passes: what is left is 6 dB louder at the same power
    assert gains.max().item() == pytest.approx(6, abs=0.2)


def test_gains_of_two_devices_in_a_row_add_up_for_smooth_responses():
    first, second = firwin(15, 3000, fs=16_000), firwin(15, [500, 6000], fs=16_000, pass_zero=False)
    both = band_gains(np.convolve(first, second), 16_000, **BANDS)
    total = band_gains(first, 16_000, **BANDS) + band_gains(second, 16_000, **BANDS)
    difference = both - total
    assert (difference - difference[5]).abs()[:40].max() < 0.3


def test_stationary_noise_gets_the_spectrum_of_its_recording(folder):
    noise = np.random.default_rng(0).standard_normal(160_000)
    response, rate = soundfile.read(folder / "low.wav")
    response = torchaudio.functional.resample(torch.from_numpy(response), rate, 16_000).numpy()
    before, after = (
        front_end()(torch.from_numpy(x)[None].float())[0]
        for x in (noise, fftconvolve(noise, response, mode="same"))
    )
    change = (after - before).mean(dim=0)
    gains = band_gains(response, 16_000, **BANDS)
    expected = gains - gains[10] + change[10]
    audible = gains > -6  # further down the edge is steep within a band, and the window leaks
    assert (change - expected)[audible].abs().max() < 1


def test_every_device_of_the_folder_is_drawn_and_one_can_be_left_out(folder):
    x = torch.full((1, 10, 64), -30.0)
    augmentation = DeviceImpulseResponse(str(folder), p=1.0, generator_seed=0)
    changes = {round((augmentation(x) - x).abs().max().item()) for _ in range(30)}
    assert len(changes) == 2
    assert min(changes) == 0
    kept = DeviceImpulseResponse(str(folder), exclude=["low.wav"], p=1.0)
    for _ in range(10):
        torch.testing.assert_close(kept(x), x, atol=1e-4, rtol=0)


def test_lowest_bands_get_the_gains_of_the_lowest_bands(folder):
    x = torch.full((1, 10, 64), -30.0)
    settings = {"exclude": ["flat.wav"], "p": 1.0}
    whole = DeviceImpulseResponse(str(folder), **settings)(x)
    part = DeviceImpulseResponse(str(folder), **settings)(x[..., :50])
    assert torch.equal(part, whole[..., :50])


def test_digital_silence_stays_and_nothing_falls_below_it(folder):
    x = torch.full((1, 10, 64), -90.0)
    x[:, :5] = -100.0
    y = DeviceImpulseResponse(str(folder), exclude=["flat.wav"], p=1.0)(x)
    assert torch.equal(y[:, :5], x[:, :5])
    assert y.min() == -100
    assert y[:, 5:].max() > -90


def test_units_of_natural_logarithms(folder):
    settings = {"exclude": ["flat.wav"], "p": 1.0}
    x = torch.zeros(1, 3, 64)
    db = DeviceImpulseResponse(str(folder), **settings)(x)
    nats = DeviceImpulseResponse(str(folder), units_per_db=np.log(10) / 10, **settings)(x)
    audible = db > -90
    torch.testing.assert_close(nats[audible], db[audible] * np.log(10) / 10)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fmax": 9000.0}, "0 <= fmin < fmax <= 8000"),
        ({"mel_scale": "kaldi"}, "Unknown mel scale 'kaldi'"),
    ],
)
def test_impossible_settings_are_rejected(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        DeviceImpulseResponse(str(folder), **settings)


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        (["best.wav"], "Unknown impulse response 'best.wav' in '.*'"),
        (["flat.wav", "low.wav"], "contains no impulse responses"),
    ],
)
def test_folder_without_a_device_is_named(folder, exclude, message):
    augmentation = DeviceImpulseResponse(str(folder), exclude=exclude, p=1.0)
    with pytest.raises(ValueError, match=message):
        augmentation(torch.zeros(1, 3, 64))


def test_silent_response_is_named(folder):
    soundfile.write(folder / "dead.wav", np.zeros(100), 8000)
    with pytest.raises(ValueError, match=r"dead\.wav': The impulse response is silent from 50"):
        DeviceImpulseResponse(str(folder), p=1.0)(torch.zeros(1, 3, 64))


def test_settings_survive_saving_and_seeds_repeat(folder):
    augmentation = DeviceImpulseResponse(str(folder), p=0.5, order=-1, generator_seed=4)
    loaded = audobject.from_yaml_s(augmentation.to_yaml_s())
    assert loaded.to_yaml_s() == augmentation.to_yaml_s()
    x = torch.full((1, 4, 64), -30.0)
    assert all(torch.equal(augmentation(x), loaded(x)) for _ in range(10))


def test_features_of_real_recordings_are_those_of_the_convolved_waveform_within_half_a_decibel(
    shared,
):
    errors, changes = [], []
    for name in ("IR_Shure510C.wav", "Toshiba_BK5.wav", "Altec_639.wav"):
        response, rate = soundfile.read(shared / "mic_irs" / name)
        gains = band_gains(response, rate, **BANDS)
        response = torchaudio.functional.resample(torch.from_numpy(response), rate, 16_000).numpy()
        for clip in sorted((shared / "fsdd").glob("*_7.wav"))[::10]:
            x = torch.from_numpy(soundfile.read(clip)[0])
            x = torchaudio.functional.resample(x, 8000, 16_000)
            peak = np.abs(response).argmax()
            recorded = fftconvolve(x.numpy(), response)[peak : peak + len(x)]
            before, after = (
                front_end()(torch.as_tensor(y)[None].float())[0, :, :50] for y in (x, recorded)
            )
            audible = before > before.max() - 50
            for kept, difference in (
                (changes, after - before),
                (errors, after - before - gains[:50]),
            ):
                relative = difference[audible] - difference[audible].median()
                kept.append(relative.abs().mean().item())
    assert np.mean(errors) < 0.6
    assert np.mean(changes) > 2.5
