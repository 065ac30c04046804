import audobject
import numpy as np
import pytest
import torch

from autrainer_ext.transforms.fixed_length import FixedLength


def noise(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, frames, 8, generator=torch.Generator().manual_seed(seed)) - 60


def test_right_length_is_left_alone():
    x = noise(30)
    assert torch.equal(FixedLength(30)(x), x)


@pytest.mark.parametrize(
    ("frames", "before", "after"), [(1, 4, 5), (7, 1, 2), (8, 1, 1), (9, 0, 1)]
)
def test_short_clips_sit_in_the_middle_of_silence(frames, before, after):
    x = noise(frames)
    padded = FixedLength(10)(x)
    assert padded.shape == (1, 10, 8)
    assert torch.equal(padded[:, before : 10 - after], x)
    assert (padded[:, :before] == -100).all()
    assert (padded[:, 10 - after :] == -100).all()


@pytest.mark.parametrize("level", [-100.0, -50.0])
@pytest.mark.parametrize("start", [20, 77, 123, 160])
def test_a_word_ends_up_in_the_middle_wherever_it_was_said(start, level):
    x = torch.full((1, 200, 8), level)
    x[:, start : start + 21] = -10.0
    kept = FixedLength(41)(x)
    assert kept.shape == (1, 41, 8)
    assert torch.equal(torch.nonzero(kept[0, :, 0] == -10).flatten(), torch.arange(10, 31))


def test_a_word_at_the_very_start_or_end_is_kept():
    for start in (0, 179):
        x = torch.full((1, 200, 8), -100.0)
        x[:, start : start + 21] = -10.0
        assert (FixedLength(41)(x) == -10).sum() == 21 * 8


@pytest.mark.parametrize("seed", range(5))
def test_kept_part_is_the_loudest_of_all(seed):
    x = 15 * noise(60, seed) + 800
    length = 13
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, length + 1) / (length + 1))
    power = (10 ** (x[0].double().numpy() / 10)).mean(1)
    loudness = [window @ power[k : k + length] for k in range(60 - length + 1)]
    best = int(np.argmax(loudness))
    assert torch.equal(FixedLength(length)(x), x[:, best : best + length]), f"seed {seed}"


def test_gain_of_the_recording_does_not_move_the_kept_part():
    x = noise(300)
    torch.testing.assert_close(FixedLength(50)(x - 80) + 80, FixedLength(50)(x), atol=1e-4, rtol=0)


def test_a_constant_clip_keeps_its_first_frames():
    assert FixedLength(5)(torch.full((1, 9, 8), -100.0)).shape == (1, 5, 8)


def test_one_frame_may_be_all_that_is_kept():
    x = noise(9)
    x[0, 6] = 0.0
    assert torch.equal(FixedLength(1)(x), x[:, 6:7])


def test_length_below_one_is_rejected():
    with pytest.raises(ValueError, match=r"Argument 'length' must be positive, got 0\."):
        FixedLength(0)


def test_a_clip_without_frames_is_rejected():
    with pytest.raises(ValueError, match="has no frames: at least one is required"):
        FixedLength(10)(torch.zeros(1, 0, 8))


def test_settings_survive_saving():
    loaded = audobject.from_yaml_s(FixedLength(96, -80.0, order=2).to_yaml_s())
    assert (loaded.length, loaded.level, loaded.order) == (96, -80.0, 2)
