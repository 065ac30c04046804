import audobject
import pytest
import torch

from autrainer_ext.augmentations import FreqMixStyle, mix_frequency_styles


def clips(n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scale = torch.rand(n, 1, 1, 8, generator=generator) * 9 + 1
    return scale * torch.randn(n, 2, 30, 8, generator=generator) - 40 + scale


def statistics(x):
    return x.mean(dim=(1, 2)), x.std(dim=(1, 2), unbiased=False)


def items(x):
    return [(clip, i % 3, 10 * i) for i, clip in enumerate(x)]


def test_share_of_zero_gives_the_partner_s_mean_and_deviation():
    x, partners = clips(), torch.tensor([1, 2, 3, 4, 0])
    mixed = mix_frequency_styles(x, partners, torch.zeros(5))
    for ours, theirs in zip(statistics(mixed), statistics(x), strict=True):
        torch.testing.assert_close(ours, theirs[partners], rtol=1e-4, atol=1e-4)


def test_statistics_are_mixed_linearly():
    x, partners = clips(), torch.tensor([1, 0, 3, 2, 4])
    shares = torch.tensor([0.0, 0.25, 0.5, 0.9, 1.0])
    mixed = mix_frequency_styles(x, partners, shares)
    for ours, own in zip(statistics(mixed), statistics(x), strict=True):
        expected = shares[:, None] * own + (1 - shares[:, None]) * own[partners]
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_share_of_one_or_being_one_s_own_partner_leaves_a_clip():
    x = clips()
    torch.testing.assert_close(mix_frequency_styles(x, torch.arange(5).roll(1), torch.ones(5)), x)
    torch.testing.assert_close(mix_frequency_styles(x, torch.arange(5), torch.full((5,), 0.3)), x)


def test_a_filter_that_tells_two_recordings_apart_is_swapped():
    """The same sound on two microphones, each with its gains in dB per band."""
    sound = clips(1)
    x = sound + torch.randn(2, 1, 1, 8, generator=torch.Generator().manual_seed(1))
    mixed = mix_frequency_styles(x, torch.tensor([1, 0]), torch.zeros(2))
    torch.testing.assert_close(mixed, x.flip(0))


def test_constant_bins_stay_constant_and_finite():
    x = torch.stack([torch.full((1, 6, 4), -100.0), torch.full((1, 6, 4), -20.0)])
    mixed = mix_frequency_styles(x, torch.tensor([1, 0]), torch.full((2,), 0.5))
    torch.testing.assert_close(mixed, torch.full((2, 1, 6, 4), -60.0))


def test_batches_keep_their_labels_and_order():
    x = clips()
    features, targets, indices = FreqMixStyle(p=1.0).get_collate_fn(None)(items(x))
    assert features.shape == x.shape
    assert not torch.equal(features, x)
    assert targets.tolist() == [0, 1, 2, 0, 1]
    assert indices.tolist() == [0, 10, 20, 30, 40]


def test_probability_is_that_of_a_batch():
    x = clips()
    collate = FreqMixStyle(p=0.4, generator_seed=0).get_collate_fn(None)
    changed = sum(not torch.equal(collate(items(x))[0], x) for _ in range(400))
    assert 130 < changed < 190
    never = FreqMixStyle(p=0.0).get_collate_fn(None)
    assert torch.equal(never(items(x))[0], x)


def test_draws_follow_the_seed_alone():
    x = clips()
    first, second, third = (
        FreqMixStyle(p=1.0, generator_seed=seed).get_collate_fn(None) for seed in (1, 1, 2)
    )
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for _ in range(3):
        once = first(items(x))[0]
        assert torch.equal(once, second(items(x))[0])
        assert not torch.equal(once, third(items(x))[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_single_clip_is_left_alone_and_settings_survive_saving():
    augmentation = FreqMixStyle(alpha=0.7, p=1.0, order=3, generator_seed=4)
    assert torch.equal(augmentation(clips(1)[0]), clips(1)[0])
    loaded = audobject.from_yaml_s(augmentation.to_yaml_s())
    assert loaded.to_yaml_s() == augmentation.to_yaml_s()


def test_alpha_must_be_positive():
    with pytest.raises(ValueError, match="Argument 'alpha' must be positive, got 0"):
        FreqMixStyle(alpha=0)
