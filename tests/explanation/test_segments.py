import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lime.wrappers.scikit_image import SegmentationAlgorithm

from autrainer_ext.explanation.segments import (
    SEGMENTERS,
    bands,
    grid,
    onsets,
    quickshift,
    time_slices,
)


@pytest.mark.parametrize("name", SEGMENTERS)
@settings(deadline=None, max_examples=10)
@given(
    size=st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 10**6),
)
def test_segments_are_numbered_without_gaps(name, size, seed):
    features = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    segments = SEGMENTERS[name](features)
    assert segments.shape == size[1:]
    assert segments.dtype == torch.int64
    assert segments.unique().tolist() == list(range(int(segments.max()) + 1)), f"seed {seed}"
    assert torch.equal(SEGMENTERS[name](features), segments)


def test_grid_by_hand():
    cells = grid(torch.zeros(1, 5, 4), n_slices=2, n_bands=2)
    assert cells.tolist() == 3 * [[0, 0, 1, 1]] + 2 * [[2, 2, 3, 3]]


def test_sizes_differ_by_one_at_most():
    sizes = time_slices(torch.zeros(1, 23, 3), n_slices=5)[:, 0].bincount()
    assert sorted(sizes.tolist()) == [4, 4, 5, 5, 5]
    assert bands(torch.zeros(1, 3, 8), n_bands=4)[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_number_of_parts_must_be_positive():
    with pytest.raises(ValueError, match="must be positive, got 0"):
        bands(torch.zeros(1, 4, 4), n_bands=0)


def test_slices_begin_where_sounds_begin():
    features = torch.zeros(1, 40, 6)
    features[:, 7:15] = 1
    features[:, 25:] = 1
    borders = onsets(features, n_bands=1)[:, 0].diff().nonzero().flatten() + 1
    assert borders.tolist() == [7, 25]


def test_onsets_keep_their_distance():
    features = torch.zeros(1, 40, 6)
    features[:, 7] = features[:, 9] = 1
    close = onsets(features, n_bands=1, min_frames=4)[:, 0]
    assert int(close.max()) == 1
    assert int(onsets(features, n_bands=1, min_frames=2)[:, 0].max()) == 2


def test_even_level_is_one_slice():
    assert int(onsets(torch.ones(1, 30, 4), n_bands=1).max()) == 0


def test_quickshift_is_that_of_lime():
    features = torch.rand(1, 30, 40, generator=torch.Generator().manual_seed(0))
    scaled = (features - features.min()) / (features.max() - features.min())
    theirs = SegmentationAlgorithm(
        "quickshift", kernel_size=4, max_dist=200, ratio=0.2, random_seed=0
    )(scaled[0][..., None].double().expand(-1, -1, 3).numpy())
    assert (quickshift(features, min_segments=0).numpy() == theirs).all()


def test_width_is_halved_until_there_are_enough_segments():
    noise = torch.rand(1, 24, 24, generator=torch.Generator().manual_seed(0))
    widths = (4, 2, 1)
    published = [quickshift(noise, kernel_size=width, min_segments=0) for width in widths]
    counts = [int(segments.max()) + 1 for segments in published]
    assert counts[0] < counts[1] < counts[2]
    for count, segments in zip(counts, published, strict=True):
        assert torch.equal(quickshift(noise, min_segments=count), segments)
    assert torch.equal(quickshift(noise, min_segments=counts[2] + 1), published[2])
