import librosa
import numpy as np
import pytest
from autrainer.transforms import PannMel, SmartCompose, StereoToMono

from autrainer_ext.serving.front_end import find_front_end, read_transforms, stated_rate
from autrainer_ext.transforms import LogMelSpectrogram

HOST = PannMel(
    window_size=512, hop_size=320, sample_rate=16000, fmin=50, fmax=8000, mel_bins=64,
    ref=1.0, amin=1e-10, top_db=None,
)  # fmt: skip
OURS = LogMelSpectrogram(
    sample_rate=32000, n_fft=2048, win_length=2048, hop_length=500, n_mels=32, mel_scale="htk"
)


@pytest.mark.parametrize(("transform", "htk"), [(HOST, False), (OURS, True)])
def test_frequencies_are_the_centres_of_the_mel_bands(transform, htk):
    front_end = find_front_end([transform])
    n_bins = front_end.filterbank.shape[1]
    high = 8000 if transform is HOST else 16000
    edges = librosa.mel_frequencies(n_bins + 2, fmin=50 * (not htk), fmax=high, htk=htk)
    means = (edges[:-2] + edges[1:-1] + edges[2:]) / 3  # of triangles
    wide = np.diff(edges)[1:] > 2 * front_end.sample_rate / front_end.n_fft  # many frequencies
    found = front_end.frequencies_hz.numpy()
    np.testing.assert_allclose(found[wide], means[wide], rtol=0.01)


def test_time_between_frames_is_the_hop():
    assert find_front_end([HOST]).frame_seconds == 0.02
    assert find_front_end([OURS]).axes["frame_seconds"] == 500 / 32000


def test_transforms_are_those_that_were_saved(tmp_path):
    assert read_transforms(tmp_path) == []
    SmartCompose([StereoToMono(), HOST]).to_yaml(str(tmp_path / "preprocess_pipeline.yaml"))
    SmartCompose([OURS]).to_yaml(str(tmp_path / "inference_transform.yaml"))
    names = [type(transform).__name__ for transform in read_transforms(tmp_path)]
    assert names == ["StereoToMono", "PannMel", "LogMelSpectrogram"]


def test_the_first_stated_rate_counts():
    assert stated_rate([StereoToMono(), OURS, HOST]) == 32000
    assert stated_rate([StereoToMono()]) is None


@pytest.mark.parametrize("transforms", [[], [StereoToMono()], [HOST, OURS]])
def test_without_exactly_one_spectrogram_there_are_no_axes(transforms):
    assert find_front_end(transforms) is None
