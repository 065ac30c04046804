import audobject
import librosa
import numpy as np
import pytest
import torch

from autrainer_ext.augmentations import TimeStretch, VocalTractPerturbation
from autrainer_ext.augmentations.warping import sample_at

CENTRES = librosa.mel_frequencies(66, fmin=50, fmax=8000)[1:-1]


def ridge(hz: float, frames: int = 5) -> torch.Tensor:
    """A log spectrogram that falls off by 1 dB per band around one frequency."""
    position = np.interp(hz, CENTRES, np.arange(64))
    return -torch.as_tensor(np.abs(np.arange(64) - position)).float().expand(1, frames, 64)


def peak_hz(x: torch.Tensor) -> float:
    """Frequency of the tip of a ridge, found from its two straight sides."""
    row = x[0, 0].double().numpy()
    top = int(row.argmax())
    position = top + (row[top + 1] - row[top - 1]) / 2 if 0 < top < len(row) - 1 else top
    return float(np.interp(position, np.arange(64), CENTRES))


@pytest.mark.parametrize("augmentation", [VocalTractPerturbation(1.0), TimeStretch(1.0)])
def test_factor_one_is_the_identity(augmentation):
    x = torch.randn(1, 37, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(augmentation(x), x, atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [VocalTractPerturbation, TimeStretch])
def test_same_seed_gives_same_clips_and_another_seed_does_not(make):
    x = torch.randn(1, 37, 64, generator=torch.Generator().manual_seed(0))
    first, second, third = (make(1.3, generator_seed=seed) for seed in (1, 1, 2))
    for _ in range(3):
        once = first(x)
        assert torch.equal(once, second(x))
        other = third(x)
        assert once.shape != other.shape or not torch.equal(once, other)


@pytest.mark.parametrize("make", [VocalTractPerturbation, TimeStretch])
def test_input_is_left_alone(make):
    x = torch.randn(1, 37, 64, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    make(1.3, generator_seed=0)(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("make", [VocalTractPerturbation, TimeStretch])
def test_factor_below_one_is_rejected(make):
    with pytest.raises(ValueError, match=r"Argument 'max_factor' must be at least 1, got 0\.9\."):
        make(max_factor=0.9)


def test_limit_of_zero_is_rejected():
    with pytest.raises(ValueError, match=r"Argument 'limit_hz' must be positive, got 0\."):
        VocalTractPerturbation(limit_hz=0)


@pytest.mark.parametrize("hz", [300.0, 700.0, 1500.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_spectral_peak_moves_by_the_drawn_factor(hz, seed):
    drawn = 2 * torch.rand(2, generator=torch.Generator().manual_seed(seed))[1].item() - 1
    factor = 1.2**drawn
    warped = VocalTractPerturbation(1.2, limit_hz=8000, generator_seed=seed)(ridge(hz))
    # bands are 46 Hz apart at the bottom, 77 Hz at 1.5 kHz
    assert peak_hz(warped) == pytest.approx(hz * factor, abs=12), f"seed {seed}"


def test_warping_matches_the_piecewise_formula_band_by_band():
    x = torch.randn(1, 3, 64, generator=torch.Generator().manual_seed(3))
    seed, limit = 4, 4000.0
    factor = 1.25 ** (
        2 * torch.rand(2, generator=torch.Generator().manual_seed(seed))[1].item() - 1
    )
    expected = np.empty((3, 64))
    for band, target in enumerate(CENTRES):
        knee = 0.8 * limit * min(factor, 1)
        if target <= knee:
            source = target / factor
        elif target < limit:
            share = (target - knee) / (limit - knee)
            source = knee / factor + share * (limit - knee / factor)
        else:
            source = target
        for frame in range(3):
            expected[frame, band] = np.interp(source, CENTRES, x[0, frame].numpy())
    warped = VocalTractPerturbation(1.25, limit_hz=limit, generator_seed=seed)(x)
    np.testing.assert_allclose(warped[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_drawn_from_beyond_the_limit(seed):
    x = torch.zeros(1, 4, 64)
    x[..., CENTRES > 4000] = -100.0
    warped = VocalTractPerturbation(1.3, limit_hz=4000, generator_seed=seed)(x)
    below = int((CENTRES < 4000).sum())
    # the last band below the limit may be interpolated with the first one above
    assert torch.equal(warped[..., : below - 1], x[..., : below - 1]), f"seed {seed}"
    assert torch.equal(warped[..., below:], x[..., below:]), f"seed {seed}"


def test_a_clip_may_hold_the_lowest_bands_only():
    x = torch.randn(1, 9, 48, generator=torch.Generator().manual_seed(0))
    warped = VocalTractPerturbation(1.2, limit_hz=3700, generator_seed=0)(x)
    assert warped.shape == x.shape


@pytest.mark.parametrize("frames", [1, 2, 3, 50])
@pytest.mark.parametrize("seed", range(5))
def test_stretched_clip_has_the_drawn_length_and_the_same_ends(frames, seed):
    drawn = 2 * torch.rand(2, generator=torch.Generator().manual_seed(seed))[1].item() - 1
    x = torch.randn(1, frames, 64, generator=torch.Generator().manual_seed(9))
    stretched = TimeStretch(1.5, generator_seed=seed)(x)
    assert stretched.shape == (1, max(1, round(frames * 1.5**drawn)), 64), f"seed {seed}"
    assert torch.equal(stretched[:, 0], x[:, 0])
    if stretched.shape[1] > 1:
        torch.testing.assert_close(stretched[:, -1], x[:, -1], atol=1e-4, rtol=0)


def test_positions_are_interpolated_and_held_at_the_ends():
    x = torch.tensor([[[0.0, 10.0, 30.0]]])
    values = sample_at(x, np.array([-1.0, 0.25, 1.0, 1.5, 7.0]), dim=-1)
    assert values.tolist() == [[[0.0, 2.5, 10.0, 20.0, 30.0]]]
    frames = sample_at(x.transpose(1, 2), np.array([0.5]), dim=-2)
    assert frames.tolist() == [[[5.0]]]


@pytest.mark.parametrize(
    "augmentation", [VocalTractPerturbation(1.1, 3700.0, p=0.5), TimeStretch(1.2, generator_seed=3)]
)
def test_settings_survive_saving(augmentation):
    loaded = audobject.from_yaml_s(augmentation.to_yaml_s())
    assert loaded.to_yaml_s() == augmentation.to_yaml_s()
