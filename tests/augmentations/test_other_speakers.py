from pathlib import Path

import pytest
import torch
import yaml
from autrainer.augmentations import AugmentationPipeline

CONFIGURATION = Path(__file__).parents[2] / "conf/augmentation/OtherSpeakers.yaml"


def steps() -> list[dict]:
    return yaml.safe_load(CONFIGURATION.read_text())["pipeline"]


@pytest.mark.parametrize("frames", [1, 15, 44, 229])
def test_clips_of_any_length_stay_finite(frames):
    pipeline = AugmentationPipeline(steps()).create_pipeline()
    x = 20 * torch.randn(1, frames, 48, generator=torch.Generator().manual_seed(0)) - 50
    for _ in range(20):
        changed = pipeline(x, index=0)
        assert changed.shape[0] == 1
        assert changed.shape[2] == 48
        assert torch.isfinite(changed).all()


def test_two_pipelines_draw_the_same():
    first, second = (AugmentationPipeline(steps()).create_pipeline() for _ in range(2))
    x = torch.randn(1, 44, 48, generator=torch.Generator().manual_seed(0)) - 50
    for _ in range(5):
        assert torch.equal(first(x, index=0), second(x, index=0))


def test_every_step_has_draws_of_its_own_and_comes_before_the_dataset_transforms():
    settings = [next(iter(step.values())) for step in steps()]
    seeds = [setting["generator_seed"] for setting in settings]
    assert len(set(seeds)) == len(seeds)
    assert {setting["order"] for setting in settings} == {-1}
