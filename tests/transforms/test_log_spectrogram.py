import audobject
import autrainer
import numpy as np
import pytest
import torch
from autrainer.transforms import SmartCompose
from omegaconf import OmegaConf

from autrainer_ext.compat import apply_transform
from autrainer_ext.transforms import LogMelSpectrogram, LogSpectrogram

MEL = {"sample_rate": 16000, "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 40}


def pipeline(path):
    config = OmegaConf.to_container(OmegaConf.load(path))
    return SmartCompose([autrainer.instantiate_shorthand(t) for t in config["pipeline"]])


@pytest.mark.parametrize(
    ("name", "seconds", "shape"),
    [
        ("cp_mobile_32k", 1, (64, 256)),
        ("dcase2024_32k", 1, (65, 256)),
        ("dcase2022_44k", 1, (51, 40)),
        ("amaut_16k", 1, (104, 80)),
        ("amaut_vocalsound_16k", 10, (1039, 64)),
        ("amaut_cochlscene_44k", 10, (1471, 64)),
        ("mask_reconstruct_mel_32k", 5, (501, 64)),
        ("mask_reconstruct_stft_16k", 5, (313, 257)),
    ],
)
def test_front_ends_have_published_shapes(root, name, seconds, shape):
    front_end = pipeline(root / f"conf/preprocessing/{name}.yaml")
    rate = front_end.transforms[-1].sample_rate
    noise = torch.randn(1, rate * seconds, generator=torch.Generator().manual_seed(0))
    features = apply_transform(front_end, noise)
    assert features.shape == (1, *shape)
    assert features.dtype == torch.float32
    assert apply_transform(front_end, torch.zeros(2, rate * seconds)).isfinite().all()


def test_matches_the_front_end_of_the_host(tmp_path):
    """The host's log_mel_16k is computed by torchlibrosa, independent of this code."""
    import autrainer as host

    folder = host.__path__[0] + "-configurations/preprocessing"
    expected = pipeline(f"{folder}/log_mel_16k.yaml")
    ours = LogMelSpectrogram(16000, 512, 512, 160, 64, 50, 8000, "slaney", "slaney")
    waveform = torch.randn(1, 12345, generator=torch.Generator().manual_seed(1)) * 0.1
    torch.testing.assert_close(
        ours(waveform), apply_transform(expected, waveform), atol=1e-3, rtol=0
    )


def test_matches_librosa_on_the_dcase_2022_baseline(root):
    import librosa

    front_end = pipeline(root / "conf/preprocessing/dcase2022_44k.yaml")
    waveform = np.random.default_rng(0).normal(size=44100).astype(np.float32)
    magnitude = librosa.feature.melspectrogram(
        y=waveform, sr=44100, n_fft=2048, win_length=1764, hop_length=882, n_mels=40, power=1.0,
        window="hamming", pad_mode="reflect", htk=False, norm=None, fmin=0, fmax=22050,
    )  # fmt: skip
    features = apply_transform(front_end, torch.from_numpy(waveform)[None])[0].T.numpy()
    np.testing.assert_allclose(features, np.log(magnitude), atol=1e-3)


def test_matches_torchaudio_on_amaut(root):
    import torchaudio

    front_end = pipeline(root / "conf/preprocessing/amaut_16k.yaml")
    waveform = torch.randn(1, 16000, generator=torch.Generator().manual_seed(2))
    waveform[:, 8000:] *= 1e-6  # far below the range of 80 dB
    mel = torchaudio.transforms.MelSpectrogram(
        16000, n_fft=1024, win_length=400, hop_length=155, n_mels=80, mel_scale="slaney"
    )
    expected = torchaudio.transforms.AmplitudeToDB(top_db=80.0)(mel(waveform)) / 40
    features = apply_transform(front_end, waveform)
    torch.testing.assert_close(features, expected.transpose(1, 2), atol=1e-4, rtol=0)
    assert (features.max() - features.min()).item() == pytest.approx(2.0, abs=1e-5)


def test_published_cp_mobile_features(root, shared):
    reference = np.load(shared / "cp_mobile_tau22/reference_dog_1s.npz")
    front_end = pipeline(root / "conf/preprocessing/cp_mobile_32k.yaml")
    features = apply_transform(front_end, torch.from_numpy(reference["waveform"])[None])
    np.testing.assert_allclose(features.transpose(1, 2), reference["features"], atol=1e-5)


def test_pure_tone_lands_in_its_bin():
    front_end = LogSpectrogram(8000, 256, 256, 128)
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(8000) / 8000)[None]
    features = front_end(tone)
    assert features.shape == (1, 63, 129)
    assert (features[0, 2:-2].argmax(dim=1) == 1000 * 256 / 8000).all()


def test_power_and_magnitude_have_the_same_decibels():
    waveform = torch.randn(1, 4000, generator=torch.Generator().manual_seed(3))
    power = LogSpectrogram(8000, 256, 256, 128)(waveform)
    magnitude = LogSpectrogram(8000, 256, 256, 128, power=1.0, floor=1e-5)(waveform)
    torch.testing.assert_close(power, magnitude, atol=1e-3, rtol=0)


def test_channels_are_independent():
    waveform = torch.randn(2, 4000, generator=torch.Generator().manual_seed(4))
    front_end = LogMelSpectrogram(**MEL)
    both = front_end(waveform)
    torch.testing.assert_close(both[1:], front_end(waveform[1:]))


@pytest.mark.parametrize(("samples", "is_enough"), [(256, False), (257, True)])
def test_short_waveform_is_named(samples, is_enough):
    front_end = LogMelSpectrogram(**MEL)
    if is_enough:
        assert front_end(torch.zeros(1, samples)).shape == (1, 2, 40)
    else:
        with pytest.raises(ValueError, match=r"256 samples \(0.016 s\), but at least 257"):
            front_end(torch.zeros(1, samples))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": "box"}, "Unknown window 'box'"),
        ({"log": "log2"}, "Unknown logarithm 'log2'"),
        ({"win_length": 1024}, r"Argument 'win_length' must be in \[1, n_fft=512\], got 1024"),
        ({"hop_length": 0}, "Argument 'hop_length' must be positive, got 0"),
        ({"power": 3}, "Argument 'power' must be 1 or 2, got 3"),
        ({"log": "ln", "top_db": 80}, "Argument 'top_db' needs log='db'"),
        ({"f_max": 9000}, "'f_min' and 'f_max' must satisfy .*, got 0.* and 9000"),
        ({"f_min": 8000}, "got 8000 and"),
        ({"mel_scale": "bark"}, "Unknown mel scale 'bark'"),
        ({"mel_scale": "kaldi", "mel_norm": "slaney"}, "Argument 'mel_norm' must be None"),
    ],
)
def test_impossible_arguments_are_rejected(change, message):
    with pytest.raises(ValueError, match=message):
        LogMelSpectrogram(**{**MEL, **change})


@pytest.mark.parametrize("mel_scale", ["htk", "slaney", "kaldi"])
def test_copy_through_yaml_gives_the_same_features(tmp_path, mel_scale):
    front_end = LogMelSpectrogram(**MEL, mel_scale=mel_scale, log="ln", preemphasis=0.9)
    front_end.to_yaml(str(tmp_path / "t.yaml"))
    waveform = torch.randn(1, 4000, generator=torch.Generator().manual_seed(5))
    copy = audobject.from_yaml(str(tmp_path / "t.yaml"))
    assert torch.equal(copy(waveform), front_end(waveform))
