import audobject
import pytest
import torch

from autrainer_ext.transforms.clip_level import LowestBands, RelativeLevel


def test_levels_become_shares_of_the_range():
    x = torch.tensor([[[-10.0, -40.0, -70.0, -100.0]]])
    torch.testing.assert_close(RelativeLevel(60)(x), torch.tensor([[[1.0, 0.5, 0.0, 0.0]]]))


def test_gain_cancels_out():
    x = 10 * torch.randn(1, 50, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(RelativeLevel(40)(x - 33), RelativeLevel(40)(x))


def test_a_constant_clip_is_one_everywhere():
    assert (RelativeLevel()(torch.full((1, 9, 64), -100.0)) == 1).all()


def test_lowest_bands_are_the_first():
    x = torch.arange(64.0).expand(1, 5, 64)
    assert torch.equal(LowestBands(48)(x), x[..., :48])
    assert torch.equal(LowestBands(80)(x), x)


def test_impossible_settings_are_rejected():
    with pytest.raises(ValueError, match=r"Argument 'range_db' must be positive, got 0\."):
        RelativeLevel(0)
    with pytest.raises(ValueError, match=r"Argument 'bands' must be positive, got 0\."):
        LowestBands(0)


@pytest.mark.parametrize("transform", [RelativeLevel(50.0), LowestBands(48, order=-2)])
def test_settings_survive_saving(transform):
    assert audobject.from_yaml_s(transform.to_yaml_s()).to_yaml_s() == transform.to_yaml_s()
