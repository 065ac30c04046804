import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.signal import fftconvolve

from autrainer_ext.compat import batch_sizes
from autrainer_ext.datasets import FSDDDevices
from autrainer_ext.datasets.fsdd_devices import DEVICES, SEEN

SETTINGS = {
    "features_subdir": "default",
    "seed": 1,
    "metrics": ["autrainer.metrics.Accuracy"],
    "tracking_metric": "autrainer.metrics.Accuracy",
    "index_column": "filename",
    "target_column": "digit",
    "file_type": "wav",
    "file_handler": "autrainer.datasets.utils.AudioFileHandler",
    **batch_sizes(4, 4),
    "stratify": ["device"],
    "test_speakers": ["ben"],
}
RNG = np.random.default_rng(0)
SOUNDS = {
    f"{digit}_{speaker}_{take}": RNG.standard_normal(400 + 10 * take) / 20
    for digit in range(2)
    for speaker in ("ann", "ben")
    for take in (0, 7)
}
RESPONSES = {device: 0.8**k * np.eye(30)[5] for k, device in enumerate(DEVICES)}
RESPONSES["shure"] = RNG.standard_normal(60)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    recordings, responses = (tmp_path_factory.mktemp(name) for name in ("fsdd", "mic_irs"))
    for stem, sound in SOUNDS.items():
        soundfile.write(recordings / f"{stem}.wav", sound, 8000, subtype="DOUBLE")
    for device, name in DEVICES.items():
        soundfile.write(responses / name, RESPONSES[device], 8000, subtype="DOUBLE")
    return recordings, responses


@pytest.fixture(scope="module")
def root(sources, tmp_path_factory):
    root = tmp_path_factory.mktemp("devices") / "data"
    FSDDDevices.download(str(root), *map(str, sources))
    return root


def test_every_clip_is_on_every_device(root):
    table = pd.read_csv(root / "fsdd.csv")
    assert table.columns.tolist() == ["filename", "digit", "speaker", "take", "device", "clip"]
    assert (table.groupby("clip")["device"].nunique() == 6).all()
    assert set(table["clip"]) == set(SOUNDS)
    assert sorted(p.name for p in (root / "default").iterdir()) == sorted(table["filename"])
    assert not (root / "fsdd").exists()


def test_recording_is_the_convolution_without_delay_at_half_the_level(root):
    for stem, sound in SOUNDS.items():
        response = RESPONSES["shure"]
        peak = np.abs(response).argmax()
        expected = fftconvolve(sound, response)[peak : peak + len(sound)] * np.sign(response[peak])
        expected *= 0.5 * np.linalg.norm(sound) / np.linalg.norm(expected)
        recorded, rate = soundfile.read(root / "default" / f"{stem}-shure.wav")
        assert rate == 8000
        np.testing.assert_allclose(recorded, expected, atol=1e-4)
        flat, _ = soundfile.read(root / "default" / f"{stem}-lomo.wav")
        np.testing.assert_allclose(flat, 0.5 * sound, atol=1e-4)


def test_unseen_devices_are_only_tested_on(root):
    data = FSDDDevices(path=str(root), **SETTINGS)
    assert set(data.df_train["device"]) == set(data.df_dev["device"]) == set(SEEN)
    assert set(data.df_test["device"]) == set(DEVICES)
    assert set(data.df_test["speaker"]) == {"ben"}
    assert [len(df) for df in (data.df_train, data.df_dev, data.df_test)] == [6, 6, 24]


def test_seen_devices_can_be_chosen(root):
    data = FSDDDevices(path=str(root), seen_devices=["reslo"], **SETTINGS)
    assert set(data.df_train["device"]) == {"reslo"}
    with pytest.raises(ValueError, match="Unknown device 'phone'"):
        FSDDDevices(path=str(root), seen_devices=["phone"], **SETTINGS)


def test_missing_response_leaves_nothing_behind(sources, tmp_path, monkeypatch):
    monkeypatch.delenv("MIC_IRS", raising=False)
    target = tmp_path / "data"
    with pytest.raises(FileNotFoundError, match="environment variable MIC_IRS must name a folder"):
        FSDDDevices.download(str(target), str(sources[0]))
    with pytest.raises(FileNotFoundError, match="IR_OktavaMK18Silver.wav' is missing"):
        FSDDDevices.download(str(target), str(sources[0]), str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_second_download_changes_nothing(root):
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    FSDDDevices.download(str(root), "nowhere", "nowhere")
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before
