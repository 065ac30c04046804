import audobject
import numpy as np
import pytest
import torch

from autrainer_ext.augmentations import EdgeCut, NoiseFloor, RandomEqualiser, SurroundingSilence

EVERY = [EdgeCut, NoiseFloor, RandomEqualiser, SurroundingSilence]


def clip(frames: int = 40, seed: int = 0) -> torch.Tensor:
    return 10 * torch.randn(1, frames, 48, generator=torch.Generator().manual_seed(seed)) - 30


@pytest.mark.parametrize("make", EVERY)
def test_same_seed_gives_same_clips_and_another_seed_does_not(make):
    first, second, third = (make(generator_seed=seed) for seed in (1, 1, 2))
    for _ in range(3):
        once = first(clip())
        assert torch.equal(once, second(clip()))
        other = third(clip())
        assert once.shape != other.shape or not torch.equal(once, other)


@pytest.mark.parametrize("make", EVERY)
def test_consecutive_clips_differ_and_the_input_is_left_alone(make):
    augmentation, x = make(generator_seed=0), clip()
    first, second = augmentation(x), augmentation(x)
    assert first.shape != second.shape or not torch.equal(first, second)
    assert torch.equal(x, clip())


@pytest.mark.parametrize("make", EVERY)
def test_probability_zero_changes_nothing(make):
    assert torch.equal(make(p=0.0)(clip()), clip())


@pytest.mark.parametrize("make", EVERY)
def test_settings_survive_saving(make):
    augmentation = make(p=0.5, order=-1, generator_seed=4)
    loaded = audobject.from_yaml_s(augmentation.to_yaml_s())
    assert loaded.to_yaml_s() == augmentation.to_yaml_s()


@pytest.mark.parametrize(("frames", "most"), [(40, 3), (20, 2), (8, 1), (7, 0)])
def test_both_ends_lose_up_to_an_eighth(frames, most):
    augmentation, x = EdgeCut(3, generator_seed=0), clip(frames)
    seen = set()
    for _ in range(200):
        kept = augmentation(x)[0]
        before = next(k for k in range(frames) if torch.equal(x[0, k], kept[0]))
        assert torch.equal(kept, x[0, before : before + len(kept)])
        seen.add((before, frames - before - len(kept)))
    assert seen == {(before, after) for before in range(most + 1) for after in range(most + 1)}


def test_nothing_cut_is_the_identity():
    assert torch.equal(EdgeCut(0)(clip()), clip())


def test_no_silence_is_the_identity():
    assert torch.equal(SurroundingSilence(0)(clip()), clip())


def test_silence_surrounds_an_unchanged_clip():
    augmentation, x = SurroundingSilence(5, generator_seed=0), clip()
    seen = set()
    for _ in range(200):
        longer = augmentation(x)[0]
        silent = (longer == -100).all(1)
        before = int(silent.int().argmin())
        assert torch.equal(longer[before : before + 40], x[0])
        assert silent[:before].all()
        assert silent[before + 40 :].all()
        seen.add((before, len(longer) - 40 - before))
    assert seen == {(before, after) for before in range(6) for after in range(6)}


def test_flat_equaliser_is_the_identity():
    assert torch.equal(RandomEqualiser(0.0)(clip()), clip())


def test_equaliser_is_the_same_in_all_frames_and_piecewise_linear():
    curves = RandomEqualiser(6.0, nodes=4, generator_seed=0)(clip()) - clip()
    torch.testing.assert_close(curves, curves[:, :1].expand_as(curves), atol=1e-4, rtol=0)
    # 48 bands and 4 nodes: nodes at 0, 15.67, 31.33 and 47, straight between them
    bends = curves[0, 0].diff().diff().abs()
    assert set(torch.nonzero(bends > 1e-3).flatten().tolist()) <= {14, 15, 30, 31}


def test_equaliser_nodes_have_the_given_deviation():
    augmentation = RandomEqualiser(3.0, nodes=2, generator_seed=0)
    ends = torch.stack([augmentation(torch.zeros(1, 1, 48))[0, 0, [0, -1]] for _ in range(4000)])
    assert ends.std(0).tolist() == pytest.approx([3.0, 3.0], rel=0.05)
    assert ends.mean(0).tolist() == pytest.approx([0.0, 0.0], abs=0.2)


def test_inaudible_noise_is_the_identity():
    torch.testing.assert_close(NoiseFloor(200, 200, std_db=0)(clip()), clip(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("snr", [0.0, 20.0])
def test_mean_noise_power_lies_the_ratio_below_the_loudest_bin(snr):
    x = torch.full((1, 4000, 48), -100.0)
    x[0, 0, 0] = -7.0
    noisy = NoiseFloor(snr, snr, std_db=0.0, generator_seed=0)(x)[:, 1:]
    power = torch.pow(10, noisy.double() / 10).mean()
    assert 10 * power.log10().item() == pytest.approx(-7 - snr, abs=0.1)


def test_noise_only_adds_power():
    noisy = NoiseFloor(generator_seed=0)(clip())
    assert (noisy >= clip() - 1e-4).all()
    assert torch.isfinite(noisy).all()


def test_powers_add_up_like_those_of_independent_sources():
    """Two clips with the same loudest bin get the same noise, so that it can be subtracted."""
    silent = torch.full((1, 40, 48), -1000.0)
    x = clip()
    silent[0, 0, 0] = x.max()
    noise = NoiseFloor(10, 10, generator_seed=5)(silent)[0, 1:].double().numpy()
    noisy = NoiseFloor(10, 10, generator_seed=5)(x)[0, 1:].double().numpy()
    expected = 10 * np.log10(10 ** (x[0, 1:].double().numpy() / 10) + 10 ** (noise / 10))
    np.testing.assert_allclose(noisy, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (EdgeCut, {"max_frames": -1}, "Argument 'max_frames' must not be negative, got -1."),
        (
            SurroundingSilence,
            {"max_frames": -1},
            "Argument 'max_frames' must not be negative, got -1.",
        ),
        (RandomEqualiser, {"std_db": -1.0}, "Argument 'std_db' must not be negative, got -1.0."),
        (RandomEqualiser, {"nodes": 1}, "Argument 'nodes' must be at least 2, got 1."),
        (NoiseFloor, {"std_db": -1.0}, "Argument 'std_db' must not be negative, got -1.0."),
        (
            NoiseFloor,
            {"min_snr": 9, "max_snr": 3},
            "Argument 'min_snr' must not exceed max_snr, got 9 and 3.",
        ),
    ],
)
def test_impossible_settings_are_rejected(make, settings, message):
    with pytest.raises(ValueError) as error:
        make(**settings)
    assert str(error.value) == message
