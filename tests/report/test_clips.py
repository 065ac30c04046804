"""Audio and pictures of recordings, with the model of the checkout."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from autrainer_ext.report.clips import ClipWriter, save_overlay, save_veil


@pytest.fixture(scope="module")
def written(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    soundfile.write(folder / "noise.wav", 0.1 * rng.normal(size=8000), 16000)
    soundfile.write(folder / "silent.wav", np.zeros(8000), 16000)
    writer = ClipWriter.open(root / "model", explainer="grad_cam", mask="topK_30")
    return folder, *writer.write_all(
        folder, {3: "noise.wav", 4: "silent.wav", 5: "absent.wav"}, folder / "out"
    )


def test_parts_sum_to_what_the_network_hears(written):
    folder, clips, _ = written
    clip, kept, removed = (
        soundfile.read(folder / f"out/3/{name}.flac")[0] for name in ("clip", "kept", "removed")
    )
    assert clips[3] == {"seconds": 0.5, "prediction": clips[3]["prediction"], "parts": True}
    frequencies = np.fft.rfftfreq(len(clip), 1 / 16000)
    missing, whole = (np.abs(np.fft.rfft(sound)) ** 2 for sound in (clip - kept - removed, clip))
    low = frequencies < 3000  # the network of the checkout hears the lowest 50 of 64 bands only
    assert missing[low].sum() < 1e-4 * whole[low].sum()
    assert missing[frequencies > 7000].sum() > 0.9 * whole[frequencies > 7000].sum()


def test_unusable_recordings_are_reported_and_leave_nothing(written):
    folder, clips, reasons = written
    assert list(clips) == [3]
    assert set(reasons) == {"silent.wav", "absent.wav"}
    assert [path.name for path in (folder / "out").iterdir()] == ["3"]


def test_pictures_have_low_frequencies_at_the_bottom(tmp_path):
    attributions = np.zeros((4, 8))
    attributions[:, 0] = 1.0  # the lowest bin
    save_overlay(attributions, tmp_path / "map.png")
    opacity = np.asarray(Image.open(tmp_path / "map.png").convert("RGBA"))[..., 3]
    assert opacity.shape == (8, 4)
    assert (opacity[-1] == 255).all()
    assert (opacity[:-1] == 0).all()


def test_a_veil_hides_what_is_not_shown(tmp_path):
    save_veil(np.array([[1.0, 0.0]]), tmp_path / "veil.png")
    opacity = np.asarray(Image.open(tmp_path / "veil.png").convert("RGBA"))[..., 3]
    assert opacity[:, 0].tolist() == [238, 0]  # the high bin is hidden
