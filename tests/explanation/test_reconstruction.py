import math
from pathlib import Path

import autrainer
import numpy as np
import pytest
import soundfile
import torch
from autrainer.transforms import PannMel, Resample, StereoToMono
from omegaconf import OmegaConf

from autrainer_ext.explanation.reconstruction import (
    Cut,
    Reconstructor,
    frequency_gain,
    griffin_lim,
)
from autrainer_ext.serving.front_end import front_end
from autrainer_ext.transforms import FixedLength, LogSpectrogram, LowestBands, RelativeLevel

CONFIGURATIONS = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
OURS = Path(__file__).resolve().parents[2] / "conf"
PIPELINES = {
    path.stem: path
    for path in [
        *sorted((OURS / "preprocessing").glob("*.yaml")),
        CONFIGURATIONS / "preprocessing/log_mel_16k.yaml",
        CONFIGURATIONS / "preprocessing/log_mel_32k.yaml",
    ]
}


def pipeline(name):
    config = OmegaConf.to_container(OmegaConf.load(PIPELINES[name]))
    return [autrainer.instantiate_shorthand(transform) for transform in config["pipeline"]]


def run(transforms, samples):
    for transform in transforms:
        samples = transform(samples)
    return samples


def noise(n_samples, channels=1, seed=0):
    return 0.1 * torch.randn(channels, n_samples, generator=torch.Generator().manual_seed(seed))


def ratio_db(signal, difference):
    return float(10 * torch.log10(signal.square().sum() / difference.square().sum()))


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("n_samples", [24000, 24777])
def test_full_mask_gives_the_recording_back(name, n_samples):
    transforms = pipeline(name)
    samples = noise(n_samples, channels=2)
    mask = torch.ones_like(run(transforms, samples))
    reconstructor = Reconstructor(transforms)
    parts = reconstructor.split(samples, mask)
    whole = samples.mean(0, keepdim=True)
    assert ratio_db(whole, parts.kept - whole) > 100
    assert ratio_db(whole, parts.removed) > 100


@pytest.mark.parametrize("name", PIPELINES)
def test_parts_add_up_and_opposite_masks_exchange_them(name):
    transforms = pipeline(name)
    samples = noise(24000)
    features = run(transforms, samples)
    mask = torch.rand(features.shape, generator=torch.Generator().manual_seed(1))
    reconstructor = Reconstructor(transforms)
    parts = reconstructor.split(samples, mask)
    assert ratio_db(samples, parts.kept + parts.removed - samples) > 100
    opposite = reconstructor.split(samples, 1 - mask)
    unseen = reconstructor.split(samples, torch.zeros_like(mask)).kept
    # frequencies without a filter are kept in both
    difference = opposite.kept - unseen - parts.removed
    assert ratio_db(samples, difference) > 60


def test_empty_mask_leaves_what_no_filter_sees():
    transforms = pipeline("mask_reconstruct_mel_32k")  # 50 Hz to 14 kHz
    seconds = torch.arange(32000) / 32000
    samples = torch.stack([torch.sin(2 * math.pi * f * seconds) for f in (1000, 15500)])
    for tone, is_kept in zip(samples, (False, True), strict=True):
        parts = Reconstructor(transforms).split(
            tone[None], torch.zeros_like(run(transforms, tone[None]))
        )
        part = parts.removed if is_kept else parts.kept
        # the ends of a tone are wide-band
        assert ratio_db(tone[2000:-2000], part[0, 2000:-2000]) > 50


def test_mask_of_a_band_keeps_the_tone_in_it():
    transforms = pipeline("log_mel_16k")
    seconds = torch.arange(16000) / 16000
    low, high = (torch.sin(2 * math.pi * f * seconds)[None] for f in (500, 4000))
    reconstructor = Reconstructor(transforms)
    mask = torch.zeros_like(run(transforms, low))
    mask[..., reconstructor.front_end.frequencies_hz < 1500] = 1
    parts = reconstructor.split(low + high, mask)
    inside = slice(1000, -1000)
    assert ratio_db(low[:, inside], (parts.kept - low)[:, inside]) > 40
    assert ratio_db(high[:, inside], (parts.removed - high)[:, inside]) > 40


def test_mask_of_a_time_keeps_the_click_in_it():
    transforms = pipeline("log_mel_16k")
    samples = torch.zeros(1, 16000)
    samples[0, [4000, 12000]] = 1
    mask = torch.zeros_like(run(transforms, samples))
    mask[:, :50] = 1
    parts = Reconstructor(transforms).split(samples, mask)
    assert float(parts.kept[0, 4000]) == pytest.approx(1, abs=0.01)
    assert float(parts.removed[0, 12000]) == pytest.approx(1, abs=0.01)
    assert float(parts.kept[0, 8500:].abs().max()) < 0.02


def test_gain_of_a_frequency_is_the_weighted_mean_of_its_filters():
    settings = front_end(pipeline("log_mel_16k")[1])
    mask = torch.rand(3, 64, generator=torch.Generator().manual_seed(0))
    gain = frequency_gain(settings, mask)
    weights = settings.filterbank.numpy()
    for frequency in (0, 1, 20, 100, 200, 256):
        total = weights[frequency].sum()
        for frame in range(3):
            mean = (weights[frequency] * mask[frame].numpy()).sum() / total if total else 1.0
            assert float(gain[frequency, frame]) == pytest.approx(mean, abs=1e-5)


def test_filterbank_is_that_of_the_host():
    transform = pipeline("log_mel_16k")[1]
    settings = front_end(transform)
    samples = noise(16000)
    spectrum = torch.stft(
        samples, settings.n_fft, settings.hop_length, window=settings.window, return_complex=True
    )
    energy = spectrum.abs().square().transpose(1, 2) @ settings.filterbank
    expected = 10 * energy.clamp(min=1e-10).log10()
    torch.testing.assert_close(transform(samples), expected, atol=1e-3, rtol=0)


def test_frequencies_are_those_of_tones():
    transforms = pipeline("log_mel_16k")
    reconstructor = Reconstructor(transforms)
    frequencies = reconstructor.front_end.frequencies_hz
    assert (frequencies.diff() > 0).all()
    seconds = torch.arange(16000) / 16000
    for index in (10, 30, 60):
        tone = torch.sin(2 * math.pi * frequencies[index] * seconds)[None]
        assert int(run(transforms, tone)[0].mean(0).argmax()) == index


@pytest.mark.parametrize("n_samples", [6000, 40000])
def test_cut_and_padded_features_are_put_back_in_their_place(n_samples):
    """The front end of the shipped model: shorter and longer than its 96 frames."""
    transforms = [
        *pipeline("log_mel_16k"),
        LowestBands(50),
        FixedLength(96),
        RelativeLevel(50),
    ]
    samples = noise(n_samples) * torch.linspace(0.01, 1, n_samples)
    features = run(transforms, samples)
    assert features.shape == (1, 96, 50)
    reconstructor = Reconstructor(transforms)
    full = reconstructor.split(samples, torch.ones_like(features))
    none = reconstructor.split(samples, torch.zeros_like(features))
    for parts in (full, none):
        assert ratio_db(samples, parts.kept + parts.removed + parts.unseen - samples) > 100
    torch.testing.assert_close(full.unseen, none.unseen)
    assert ratio_db(full.kept, full.removed) > 60
    if n_samples > 16000:  # the loud end alone is seen
        assert full.window.start_frame > 100
        for part in (full.kept, none.removed):
            assert float(part[:, :20000].abs().max()) < 1e-4
        torch.testing.assert_close(full.unseen[:, :20000], samples[:, :20000], atol=1e-4, rtol=0)
        assert float(none.removed[:, 30000:-500].square().mean()) > 1e-3
    else:
        assert full.window.start_frame == -(96 - 38) // 2
        assert float(none.removed.square().mean()) > 0.4 * float(samples.square().mean())
    torch.testing.assert_close(reconstructor.features(samples), features)
    assert reconstructor.window(samples).start_frame == full.window.start_frame


def test_parts_are_heard_in_the_window_of_the_recording():
    """Without the loud word, another place would be the loudest."""
    transforms = [*pipeline("log_mel_16k"), FixedLength(50), RelativeLevel(50)]
    samples = 0.001 * noise(48000)
    samples[:, 8000:14000] += noise(6000)
    samples[:, 32000:38000] += 0.5 * noise(6000, seed=1)
    reconstructor = Reconstructor(transforms)
    features = run(transforms, samples)
    parts = reconstructor.split(samples, torch.zeros_like(features))
    start = parts.window.start_frame
    assert 30 < start < 80
    anew = reconstructor.window(parts.unseen).start_frame
    assert anew > 150
    removed = reconstructor.features(parts.removed, parts.window)
    torch.testing.assert_close(removed[:, 3:-3], features[:, 3:-3], atol=0.1, rtol=0)
    kept = reconstructor.features(parts.kept + 1e-9 * parts.removed, parts.window)
    assert kept.shape == features.shape


def test_cuts_can_be_repeated_and_undone():
    earlier = torch.arange(24.0).reshape(1, 6, 4)
    cut = Cut(frames=2, bins=0, result=earlier[0, 2:5, :3])
    torch.testing.assert_close(cut.apply(earlier), earlier[:, 2:5, :3])
    whole = cut.undo(torch.ones(1, 3, 3), earlier)
    expected = torch.zeros(1, 6, 4)
    expected[:, 2:5, :3] = 1
    assert torch.equal(whole, expected)
    padded = torch.nn.functional.pad(earlier, (0, 0, 1, 2), value=-9.0)
    pad = Cut(frames=-1, bins=0, result=padded[0])
    torch.testing.assert_close(pad.apply(earlier), padded)
    assert torch.equal(pad.undo(torch.ones(1, 9, 4), earlier), torch.ones(1, 6, 4))


def test_rate_is_that_of_the_resampled_recording():
    transforms = [Resample(44100, 16000), *pipeline("log_mel_16k")]
    reconstructor = Reconstructor(transforms)
    assert reconstructor.rate(44100) == 16000
    assert Reconstructor(pipeline("log_mel_16k")).rate(16000) == 16000
    samples = noise(44100)
    parts = reconstructor.split(samples, torch.ones_like(run(transforms, samples)))
    assert parts.kept.shape[-1] / reconstructor.rate(44100) == pytest.approx(1, abs=0.01)


def test_pipelines_without_a_way_back_are_named():
    with pytest.raises(ValueError, match=r"has 0 log spectrograms, expected 1 \(StereoToMono\)"):
        Reconstructor([StereoToMono()])
    with pytest.raises(ValueError, match="StereoToMono is not a .*log spectrogram"):
        front_end(StereoToMono())


def test_features_that_cannot_be_found_again_are_named():
    class Warp(RelativeLevel):
        def __call__(self, x):
            return 0.5 * x[..., ::2, :]

    transforms = [*pipeline("log_mel_16k"), Warp()]
    samples = noise(16000)
    with pytest.raises(ValueError, match="cannot be mapped back"):
        Reconstructor(transforms).split(samples, torch.ones(1, 51, 64))


def test_mask_of_another_size_is_named():
    transforms = pipeline("log_mel_16k")
    with pytest.raises(ValueError, match=r"mask has the shape \(1, 5, 64\).* have \(1, 101, 64\)"):
        Reconstructor(transforms).split(noise(16000), torch.ones(1, 5, 64))


def test_features_of_the_kept_audio_are_near_the_masked_features(shared):
    """They are not equal, but a mask of whole bands and times survives the way back."""
    samples, rate = soundfile.read(shared / "esc50_samples/dog.wav", dtype="float32")
    samples = torch.from_numpy(np.ascontiguousarray(samples))[None, :rate]
    transforms = [StereoToMono(), PannMel(1024, 320, rate, 50, 14000, 64, 1.0, 1e-10, None)]
    features = run(transforms, samples)
    mask = torch.zeros_like(features)
    mask[:, 20:60, 10:40] = 1
    reconstructor = Reconstructor(transforms)
    again = reconstructor.features(reconstructor.split(samples, mask).kept)
    inner = (again - features)[:, 24:56, 14:36]
    assert float(inner.abs().median()) < 1
    outer = (again - features)[:, 80:, 45:]
    assert float(outer.median()) < -20


def test_griffin_lim_keeps_the_spectrum_without_the_phase():
    transform = LogSpectrogram(16000, 512, 512, 128)
    seconds = torch.arange(8000) / 16000
    samples = (torch.sin(2 * math.pi * 440 * seconds) * torch.hann_window(8000))[None]
    energy = transform.stft(samples).abs().square()[0].T
    found = griffin_lim(front_end(transform), energy)
    again = transform.stft(found).abs()[..., :-1]
    expected = transform.stft(samples).abs()[..., : again.shape[-1]]
    assert ratio_db(expected, again - expected) > 20
    assert torch.equal(griffin_lim(front_end(transform), energy), found)
