from pathlib import Path

import pytest
import torch
import yaml
from autrainer.augmentations import AugmentationPipeline

from autrainer_ext.compat import apply_transform

CONFIGURATION = Path(__file__).parents[2] / "conf/augmentation/OtherSpeakers.yaml"


def steps() -> list[dict]:
    return yaml.safe_load(CONFIGURATION.read_text())["pipeline"]


@pytest.mark.parametrize("frames", [1, 15, 44, 229])
def test_clips_of_any_length_stay_finite(frames):
    pipeline = AugmentationPipeline(steps()).create_pipeline()
    x = 20 * torch.randn(1, frames, 48, generator=torch.Generator().manual_seed(0)) - 50
    for _ in range(20):
        changed = apply_transform(pipeline, x)
        assert changed.shape[0] == 1
        assert changed.shape[2] == 48
        assert torch.isfinite(changed).all()


def test_two_pipelines_draw_the_same():
    x = torch.randn(1, 44, 48, generator=torch.Generator().manual_seed(0)) - 50
    clips = []
    for _ in range(2):
        torch.manual_seed(0)  # the masks of the host draw from the global generator
        pipeline = AugmentationPipeline(steps()).create_pipeline()
        clips.append([apply_transform(pipeline, x) for _ in range(5)])
    assert all(torch.equal(first, second) for first, second in zip(*clips, strict=True))


def test_every_step_has_draws_of_its_own():
    seeds = [next(iter(step.values()))["generator_seed"] for step in steps()]
    assert len(set(seeds)) == len(seeds)


def test_only_masks_come_after_the_dataset_transforms():
    """Zero, with which the host masks, is silence once the levels are relative."""
    late = [name for step in steps() for name, setting in step.items() if setting["order"] >= 0]
    assert late == ["autrainer.augmentations.TimeMask", "autrainer.augmentations.FrequencyMask"]
