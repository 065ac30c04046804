"""The page of one clip in a real headless Chromium, from disk and without network."""

import numpy as np
import pytest
import soundfile

from autrainer_ext.report.clips import save_overlay, save_spectrogram, save_veil
from autrainer_ext.report.page import render_clip

from .conftest import CLASSES, HOSTILE, wait_until

pytestmark = pytest.mark.browser
MUTED = "[...document.querySelectorAll('audio')].map((sound) => sound.muted)"


@pytest.fixture
def write_clip(tmp_path):
    """Write the page of a clip of a length in seconds, heard from a quarter on; its folder."""

    def write(seconds):
        sound = 0.1 * np.sin(np.arange(int(8000 * seconds)) / 4)
        for name in ("recording", "kept", "removed", "unseen"):
            soundfile.write(tmp_path / f"{name}.flac", sound, 8000)
        values = np.random.default_rng(0).normal(size=(40, 16))
        save_spectrogram(values, tmp_path / "spectrogram.png")
        save_overlay(values, tmp_path / "map.png")
        save_veil((values > 0).astype(float), tmp_path / "veil.png")
        part = {"explainer": "lime", "mask": "bin", "map": "map.png", "kept": "kept.flac"}
        part |= {"removed": "removed.flac", "veil_kept": "veil.png", "veil_removed": "veil.png"}
        heard = seconds / 4, seconds
        clip = {"filename": HOSTILE, "noise": "none", "target": CLASSES[1], "confidence": 0.875}
        clip |= {"prediction": CLASSES[0], "seconds": seconds, "start": heard[0], "end": heard[1]}
        clip |= {"picture": heard, "recording": "recording.flac", "unseen": "unseen.flac"}
        clip |= {"spectrogram": "spectrogram.png", "parts": [part]}
        (tmp_path / "index.html").write_text(render_clip(clip), encoding="utf-8")
        return tmp_path

    return write


def test_names_are_text_beside_class_and_probability(visit, write_clip):
    with visit(write_clip(0.5)) as tab:
        assert tab.evaluate("window.pwned") is None
        assert tab.locator("h1").inner_text() == HOSTILE
        words = tab.locator(".lede").inner_text()
        assert f"Predicted {CLASSES[0]} with a probability of 87.5 %; label {CLASSES[1]}." in words


def test_all_parts_play_on_one_clock_and_one_is_heard(visit, write_clip):
    with visit(write_clip(2)) as tab:
        tab.locator("#parts-play").click()
        assert tab.evaluate(MUTED) == [False, True, True, True]
        wait_until(tab, "document.querySelector('audio').currentTime > 0.1")
        tab.locator("button[data-hear=lime_bin_removed]").click()
        assert tab.evaluate(MUTED) == [True, True, True, False]
        heads = "[...document.querySelectorAll('.head')].map((head) => parseFloat(head.style.left))"
        wait_until(tab, f"Math.min(...{heads}) > 5")


def test_the_map_scrolls_under_the_play_head(visit, write_clip):
    with visit(write_clip(20)) as tab:
        place = """(() => {
            const picture = document.querySelectorAll('.picture')[2].getBoundingClientRect();
            const head = document.querySelectorAll('.head')[2].getBoundingClientRect();
            return (head.left - picture.left) / picture.width;
        })()"""
        assert tab.evaluate(place) == pytest.approx(0, abs=0.02)
        tab.evaluate("document.querySelector('audio').currentTime = 10")
        wait_until(tab, "document.querySelectorAll('.picture')[2].scrollLeft > 0")
        assert tab.evaluate(place) == pytest.approx(0.5, abs=0.02)
        image = "document.querySelector('.picture img')"
        share = f"{image}.offsetLeft / {image}.parentElement.offsetWidth"
        assert tab.evaluate(share) == pytest.approx(0.25, abs=0.01)
