import pytest
import torch

from autrainer_ext.corruptions.effects import clipping, pitch_shift, time_stretch

from .conftest import RATE, clips, generator, peak_hertz, tone


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
