import re

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from autrainer_ext import explain
from autrainer_ext.explanation.masks import MASKS
from autrainer_ext.serving.clip_reader import ClipReader
from autrainer_ext.transforms import LogSpectrogram

mpl.use("Agg")
RATE = 16000
# 33 bins of 250 Hz: a tone of 500 Hz lies in bin 2
FRONT_END = LogSpectrogram(sample_rate=RATE, n_fft=64, win_length=64, hop_length=32)


class BandEnergy(nn.Module):
    """Two logits: the mean of one bin, and zero."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def forward(self, features):
        energy = features[:, 0, :, self.place].mean(dim=1) + 200
        return torch.stack([energy, torch.zeros_like(energy)], dim=1)


@pytest.fixture
def two_tones():
    time = np.arange(RATE) / RATE
    low, high = (0.3 * np.sin(2 * np.pi * hz * time) for hz in (500, 4000))
    return low, high


def test_a_network_that_hears_one_band_keeps_the_sound_in_it(two_tones):
    low, high = two_tones
    found = explain(BandEnergy(2), low + high, RATE, front_end=FRONT_END)
    assert set(np.flatnonzero(found.map[0].any(axis=0))) == {2}
    assert found.prediction == 0
    inside = slice(RATE // 10, -RATE // 10)
    kept, removed = found.kept[inside], found.removed[inside]
    assert np.corrcoef(kept, low[inside])[0, 1] > 0.98
    assert np.corrcoef(removed, high[inside])[0, 1] > 0.9
    np.testing.assert_allclose(found.kept + found.removed, found.samples, atol=1e-6)
    assert found.rate == RATE
    assert found.scores["explainer"].tolist() == ["integrated_gradients"]


def test_file_and_array_of_the_shipped_model_agree(root, clip, tone):
    reader = ClipReader(model_path=str(root / "model"))
    samples = reader.recording(clip)  # resampled to 16 kHz
    from_file = explain(root / "model", clip)
    from_array = explain(str(root / "model"), samples[0].numpy(), RATE)
    np.testing.assert_array_equal(from_file.map, from_array.map)
    np.testing.assert_array_equal(from_file.kept, from_array.kept)
    logits = reader.model(reader.features(samples)).double().softmax(dim=1)
    assert from_file.confidence == pytest.approx(float(logits.max()), abs=1e-5)
    assert from_file.prediction == str(int(logits.argmax()))


def test_whole_numbers_and_channels_are_read_as_the_file(network, tone):
    scaled = (tone * 2**15).astype(np.int16)
    stereo = np.stack([tone, tone], axis=1)
    expected = explain(network, tone, RATE, front_end="log_mel_16k").samples
    for array in (scaled, stereo, stereo.T, torch.from_numpy(tone)):
        found = explain(network, array, RATE, front_end="log_mel_16k").samples
        np.testing.assert_allclose(found, expected, atol=2**-14)


def test_network_is_not_changed_and_its_mode_is_kept(network, tone):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    explain(network.train(), tone, RATE, front_end="log_mel_16k", explainer="grad_cam")
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_unknown_front_end_of_a_network_is_a_warning(network, clip):
    with pytest.warns(UserWarning, match="The front end of the network is unknown"):
        explain(network, clip)


def test_every_mask_has_its_parts(network, tone):
    found = explain(network, tone, RATE, front_end="log_mel_16k", class_names=["a", "b", "c"])
    assert found.prediction in ("a", "b", "c")
    for name in MASKS:
        mask = found.mask(name)
        assert mask.shape == found.map.shape
        assert 0 <= mask.min() <= mask.max() <= 1
        np.testing.assert_allclose(sum(found.parts(name)), found.samples, atol=1e-6)
    share = found.mask("topK_5").mean()
    assert 0.05 <= share < 0.06


def test_features_are_explained_without_audio(network):
    found = explain(network, torch.randn(1, 1, 20, 30), explainer="saliency")
    assert found.map.shape == (1, 20, 30)
    assert found.rate is None
    with pytest.raises(ValueError, match=r"No audio of the parts: features were given"):
        _ = found.kept
    assert "features were given" in found._repr_html_()


def test_notebook_plays_the_recording_and_both_parts(network, tone):
    found = explain(network, tone, RATE, front_end="log_mel_16k", class_names=["<a>", "b", "c"])
    page = found._repr_html_()
    assert len(re.findall(r"<audio controls src='data:audio/wav;base64,[\w+/=]+'>", page)) == 3
    assert "<a>" not in page


@pytest.mark.parametrize("what", ["map", "input", "kept", "removed"])
def test_plots_show_seconds(network, tone, what):
    from matplotlib import pyplot as plt

    found = explain(network, tone, RATE, front_end="log_mel_16k")
    given = plt.figure().add_subplot()
    axes = found.plot(given, what)
    assert axes is given
    assert axes.get_xlabel() == "time in s"
    assert axes.images[0].get_extent()[1] == pytest.approx(51 * 0.01)
    assert found.plot().figure is not given.figure
    with pytest.raises(ValueError, match="Unknown drawing 'maps'"):
        found.plot(given, "maps")
    plt.close("all")


def test_array_of_another_rate_is_refused(root, network, tone):
    for model, front_end in ((root / "model", None), (network, "log_mel_16k")):
        with pytest.raises(ValueError, match=r"has 8000 Hz, but the front end needs 16000 Hz"):
            explain(model, tone[::2], 8000, front_end=front_end)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": None}, "An array of samples needs its sample rate"),
        ({"audio": "nowhere.wav"}, r"File 'nowhere\.wav' does not exist"),
        ({"audio": np.zeros(RATE)}, "The recording is silent"),
        ({"audio": np.full(RATE, np.nan)}, "not finite"),
        ({"audio": np.ones(0)}, "The recording is empty"),
        ({"audio": np.arange(9.0) / 9}, "No features of the recording"),
        ({"audio": np.array(["a"])}, "Samples must be numbers"),
        ({"explainer": "grad_cum"}, "Did you mean 'grad_cam'"),
        ({"mask": "bni"}, "Did you mean 'bin'"),
        ({"front_end": "log_mel_16"}, "Did you mean 'log_mel_16k'"),
        ({"front_end": [torch.neg]}, "states no sample rate"),
        ({"class_names": ["a"]}, "Got 1 class names for 3 outputs"),
        ({"model": "nowhere"}, "Model directory 'nowhere' does not exist"),
        ({"model": nn.Linear(3, 2)}, "The network fails for features of the shape"),
        ({"model": nn.Identity()}, "one logit per class"),
    ],
)
def test_wrong_input_is_reported_in_one_line(network, tone, changes, message):
    arguments = {"model": network, "audio": tone, "rate": RATE, "front_end": "log_mel_16k"}
    if changes.get("model") == "nowhere":
        arguments["front_end"] = None
    arguments |= changes
    with pytest.raises(ValueError, match=message) as caught:
        explain(arguments.pop("model"), arguments.pop("audio"), **arguments)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_audio_are_reported(network, tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(ValueError, match=r"text\.wav' cannot be read"):
        explain(network, tmp_path / "text.wav", front_end="log_mel_16k")


def test_recordings_of_the_shared_data_are_explained(root, shared):
    clip = shared / "fsdd/7_lucas_1.wav"
    found = explain(root / "model", clip)
    assert found.prediction == "7"
    assert np.isfinite(found.kept).all()
    samples, rate = soundfile.read(clip)
    assert len(found.kept) == pytest.approx(len(samples) * RATE / rate, abs=2)
