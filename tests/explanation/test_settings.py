from dataclasses import fields

import pytest

from autrainer_ext.explanation.masks import MASKS
from autrainer_ext.explanation.settings import ExplainSettings


def test_all_masks_are_scored_by_default_and_each_once():
    assert ExplainSettings().scored_masks == tuple(MASKS)
    assert ExplainSettings(masks=("bin", "topK_5", "bin")).scored_masks == ("bin", "topK_5")


def test_panels_show_the_first_mask_to_listen_to_or_else_bin():
    assert ExplainSettings(masks=("topK_5",), listen=("sigmoid",)).panel_mask == "sigmoid"
    assert ExplainSettings(masks=("topK_5",), listen=()).panel_mask == "bin"


def test_every_field_is_documented():
    for field in fields(ExplainSettings):
        assert f"\n        {field.name}: " in ExplainSettings.__doc__


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"explainers": ("magic",)}, "Unknown explainer 'magic'"),
        ({"masks": ("best",)}, "Unknown mask 'best'"),
        ({"samples": 1}, "Argument 'samples' must be at least 2, got 1"),
        ({"target_error": 0.0}, "Argument 'target_error' must be positive, got 0.0"),
        ({"listen": ("best",)}, "Unknown mask 'best'"),
        ({"alpha": 0.0}, r"Argument 'alpha' must be in \(0, 1\], got 0.0"),
        ({"batch_size": 0}, "Argument 'batch_size' must be positive, got 0"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ExplainSettings(**settings)
