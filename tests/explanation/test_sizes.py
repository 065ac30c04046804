import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.explanation.segments import grid
from autrainer_ext.explanation.sizes import (
    TOLERANCE,
    equal_masks,
    kept_shares,
    levels,
    sounding_segments,
)


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def clip(seed, frames=60, bins=40):
    """Levels of a clip with silence at its end."""
    level = 60 * torch.rand(1, frames, bins, generator=draw(seed)) ** 2
    level[:, frames * 2 // 3 :] = 0
    return level


def random_masks(mask, level, **options):
    options = {"segments": None, "n_masks": 3, "generator": draw(9)} | options
    return equal_masks({"mask": mask}, level, **options)["mask"]


def test_shares_of_a_case_worked_by_hand():
    level = torch.tensor([[8.0, 1.0], [1.0, 0.0]])
    shares = kept_shares(torch.tensor([[1.0, 0.5], [0.0, 1.0]]), level)
    assert shares.bins == pytest.approx(2.5 / 4)
    assert shares.sounding == pytest.approx(1.5 / 3)
    assert shares.energy == pytest.approx(8.5 / 10)


@pytest.mark.parametrize("keep", ["loud", "quiet", "soft"])
@pytest.mark.parametrize("seed", range(5))
def test_random_masks_of_bins_are_as_large(keep, seed):
    level = clip(seed)
    score = level if keep == "loud" else -level
    mask = (score > score.flatten().quantile(0.7)).float()
    if keep == "soft":
        mask = torch.rand(level.shape, generator=draw(seed + 1)) * level / level.max()
    expected = kept_shares(mask, level)
    for random_mask in random_masks(mask, level):
        assert torch.equal(random_mask.flatten().sort().values, mask.flatten().sort().values)
        shares = kept_shares(random_mask, level)
        assert shares.sounding == pytest.approx(expected.sounding, abs=TOLERANCE), seed
        assert shares.energy == pytest.approx(expected.energy, abs=TOLERANCE), seed


@pytest.mark.parametrize("seed", range(5))
def test_random_unions_of_segments_are_as_large(seed):
    level = clip(seed)
    segments = grid(level, n_slices=6, n_bands=8)
    values = torch.rand(48, generator=draw(seed))
    mask = (values > 0.6).float()[segments][None]
    expected = kept_shares(mask, level)
    found = random_masks(mask, level, segments=segments)
    assert len({tuple(each.flatten().tolist()) for each in found}) > 1
    for random_mask in found:
        per_segment = [random_mask[0][segments == k].unique().numel() for k in range(48)]
        assert set(per_segment) == {1}  # whole segments
        shares = kept_shares(random_mask, level)
        assert shares.sounding == pytest.approx(expected.sounding, abs=TOLERANCE), seed
        assert shares.energy == pytest.approx(expected.energy, abs=TOLERANCE), seed


def test_clip_of_one_segment_has_no_other_mask():
    level = torch.ones(1, 4, 4)
    segments = torch.zeros(4, 4, dtype=torch.long)
    for mask in (torch.ones(1, 4, 4), torch.zeros(1, 4, 4)):
        assert all(torch.equal(each, mask) for each in random_masks(mask, level, segments=segments))


def test_silent_segments_are_no_players():
    level = clip(0)
    segments = grid(level, n_slices=6, n_bands=2)
    assert sounding_segments(segments, level).tolist() == list(range(8))
    assert len(sounding_segments(segments, torch.zeros_like(level))) == 0


def test_a_cut_segment_stays_a_cut_segment():
    """Masks such as topK_5 end inside a segment."""
    level, segments = torch.ones(1, 4, 5), grid(torch.zeros(1, 4, 5), n_slices=4, n_bands=1)
    mask = torch.zeros(1, 4, 5)
    mask[0, 0], mask[0, 1, :2] = 1, 1
    for random_mask in random_masks(mask, level, segments=segments):
        assert sorted(random_mask[0].sum(1).tolist()) == [0, 0, 2, 5]
        assert set(random_mask.unique().tolist()) == {0, 1}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), threshold=st.floats(0, 1), baseline=st.floats(-100, 0))
def test_size_does_not_depend_on_the_unit(seed, threshold, baseline):
    features = baseline + clip(seed, 20, 10)
    mask = (torch.rand(features.shape, generator=draw(seed)) > threshold).float()
    one = kept_shares(mask, levels(features, baseline))
    other = kept_shares(mask, levels(0.1 * features + 3, 0.1 * baseline + 3))
    assert one.energy == pytest.approx(other.energy, abs=1e-3)
    assert 0 <= one.sounding <= 1
