import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autrainer_ext.explanation.masks import MASKS, apply_mask, explains_nothing, make_masks

BINARY = [name for name in MASKS if "topK" in name or "thresh" in name or name == "bin"]


def draw(seed, shape=(3, 1, 7, 9)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def row(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def by_hand(name, values, **options):
    return make_masks(row(*values), [name], **options)[name].flatten().tolist()


def test_there_are_the_fourteen_masks_of_the_source():
    assert len(MASKS) == 14
    assert list(make_masks(draw(0))) == list(MASKS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("minmax", [0.5, 1.0, 0.0, 0.625, 0.75]),
        ("bin", [0, 1, 0, 1, 1]),
        ("topK_5", [0, 1, 0, 0, 0]),
        ("topK_30", [0, 1, 0, 0, 1]),
        ("topK_50", [0, 1, 0, 1, 1]),
        ("minmax_pos", [0, 1, 0, 0.25, 0.5]),
        ("pos_thresh_25", [0, 1, 0, 1, 1]),
        ("pos_thresh_50", [0, 1, 0, 0, 1]),
        ("pos_thresh_75", [0, 1, 0, 0, 0]),
        ("topK_50_pos", [0, 1, 0, 1, 1]),
    ],
)
def test_masks_by_hand(name, expected):
    assert by_hand(name, [0, 4, -4, 1, 2]) == expected


def test_sigmoids_by_hand():
    values = [-1.0, 1.0, 3.0, 5.0]
    deviation = math.sqrt(sum((v - 2) ** 2 for v in values) / 3)
    expected = [1 / (1 + math.exp(-v / deviation)) for v in values]
    assert by_hand("sigmoid", values) == pytest.approx(expected)
    positive = [0.0, 1.0, 3.0, 5.0]
    deviation = math.sqrt(sum((v - 2.25) ** 2 for v in positive) / 3)
    expected = [2 / (1 + math.exp(-v / deviation)) - 1 for v in positive]
    assert by_hand("sigmoid_pos", values) == pytest.approx(expected)


def test_positive_top_keeps_positive_bins_only():
    values = [3.0, 2.0, -1, -2, -3, -4, -5, -6, -7, -8]
    assert by_hand("topK_50_pos", values) == [1, 1] + 8 * [0]
    assert by_hand("topK_50_pos", values, source_compatible=True) == 10 * [1]


def test_small_attributions_keep_their_contrast():
    small = draw(0) * 1e-6
    for name in ("sigmoid", "sigmoid_pos"):
        torch.testing.assert_close(make_masks(small)[name], make_masks(draw(0))[name])
        published = make_masks(small, [name], source_compatible=True)[name]
        assert float((published - 0.5).abs().max()) < 1e-5


def test_published_masks_are_the_published_formulas():
    maps = draw(3)
    found = make_masks(maps, source_compatible=True)
    for index, one in enumerate(maps):
        positive = one.clamp(min=0)
        scaled = positive / (one.max() + 1e-8)
        expected = {
            "minmax": (one - one.min()) / (one.max() - one.min() + 1e-8),
            "sigmoid": torch.sigmoid(one),
            "bin": (one > 0).float(),
            "minmax_pos": scaled,
            "sigmoid_pos": torch.sigmoid(positive),
        }
        for percent in (25, 50, 75):
            expected[f"pos_thresh_{percent}"] = (scaled >= percent / 100).float()
        for percent in (5, 30, 50):
            limit = torch.quantile(one, 1 - percent / 100)
            expected[f"topK_{percent}"] = (one >= limit).float()
            limit = torch.quantile(positive, 1 - percent / 100)
            expected[f"topK_{percent}_pos"] = (positive >= limit).float()
        for name in MASKS:
            torch.testing.assert_close(found[name][index], expected[name], msg=name)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    frames=st.integers(1, 12),
    mel_bins=st.integers(2, 12),
    shift=st.floats(-3, 3),
)
def test_masks_are_within_their_range_and_size(seed, frames, mel_bins, shift):
    maps = draw(seed, (2, 1, frames, mel_bins)) + shift
    n = frames * mel_bins
    for name, mask in make_masks(maps).items():
        assert mask.shape == maps.shape
        assert mask.min() >= 0, name
        assert mask.max() <= 1, name
        if name in BINARY:
            assert set(mask.unique().tolist()) <= {0.0, 1.0}
        if name.endswith("_pos") or name == "bin" or "pos_thresh" in name:
            assert not mask[maps <= 0].any(), name
        if name.startswith("topK") and not name.endswith("_pos"):
            percent = int(name.split("_")[1])
            assert mask.flatten(1).sum(1).tolist() == 2 * [math.ceil(n * percent / 100)]


@pytest.mark.parametrize("name", MASKS)
def test_larger_attributions_are_never_kept_less(name):
    maps = draw(1, (1, 1, 8, 8))
    order = maps.flatten().argsort()
    mask = make_masks(maps, [name])[name].flatten()[order]
    assert (mask.diff() >= 0).all()


@pytest.mark.parametrize("name", MASKS)
def test_scale_of_attributions_does_not_matter(name):
    maps = draw(1)
    torch.testing.assert_close(make_masks(maps)[name], make_masks(2.0**-12 * maps)[name])


@pytest.mark.parametrize("name", MASKS)
def test_batch_does_not_matter(name):
    maps = draw(1)
    alone = torch.cat([make_masks(one[None])[name] for one in maps])
    torch.testing.assert_close(make_masks(maps)[name], alone)


@pytest.mark.parametrize("value", [0.0, 3.5, -1.0, math.nan, math.inf])
def test_what_explains_nothing_keeps_nothing(value):
    maps = draw(0)
    maps[1] = value
    assert explains_nothing(maps).tolist() == [False, True, False]
    for name, mask in make_masks(maps).items():
        assert not mask[1].any(), name
        torch.testing.assert_close(mask[0], make_masks(draw(0))[name][0])


def test_one_bad_value_spoils_a_map():
    maps = draw(0)
    maps[2, 0, 0, 0] = math.nan
    assert explains_nothing(maps).tolist() == [False, False, True]


def test_ties_go_to_the_earlier_bins():
    assert by_hand("topK_50", [1, 1, 1, 0, 1, 0]) == [1, 1, 1, 0, 0, 0]


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="Unknown mask 'best'. Choose from: minmax, sigmoid"):
        make_masks(draw(0), ["best"])
    with pytest.raises(ValueError, match=r"got \(7, 9\)"):
        make_masks(torch.zeros(7, 9))


@pytest.mark.parametrize("baseline", [-100.0, torch.full((1, 7, 9), -3.3)])
def test_full_mask_keeps_the_input_and_empty_mask_the_baseline(baseline):
    features = 37.123 * draw(0)
    kept, removed = apply_mask(features, torch.ones_like(features), baseline)
    silence = torch.as_tensor(baseline).expand_as(features)
    assert torch.equal(kept, features)
    assert torch.equal(removed, silence)
    kept, removed = apply_mask(features, torch.zeros_like(features), baseline)
    assert torch.equal(kept, silence)
    assert torch.equal(removed, features)


def test_parts_add_up_above_the_baseline():
    features, mask = draw(0).double(), torch.rand(3, 1, 7, 9, dtype=torch.float64)
    kept, removed = apply_mask(features, mask, -4.0)
    torch.testing.assert_close((kept + 4) + (removed + 4), features + 4)
    torch.testing.assert_close(kept, (features + 4) * mask - 4)
