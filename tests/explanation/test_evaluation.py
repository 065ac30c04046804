import pandas as pd
import pytest
import torch
from torch import nn

from autrainer_ext.explanation.evaluation import ClipSettings, explain_clip
from autrainer_ext.explanation.fidelity import MEASURES
from autrainer_ext.explanation.masks import make_masks
from autrainer_ext.explanation.settings import ExplainSettings
from autrainer_ext.explanation.size_curves import SHARES
from autrainer_ext.explanation.sizes import TOLERANCE

BASELINE = -2.0


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


@pytest.fixture
def features():
    return torch.randn(1, 1, 8, 10, generator=torch.Generator().manual_seed(0))


class Model(nn.Module):
    """Network of a function."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


def resolve(**settings):
    return ClipSettings.resolve(ExplainSettings(**settings), BASELINE)


@pytest.mark.parametrize("source_compatible", [False, True])
def test_masks_of_a_clip_are_those_of_its_attributions(model, features, source_compatible):
    settings = resolve(
        explainers=("saliency", "occlusion"),
        masks=("bin", "sigmoid"),
        listen=("topK_30", "bin"),
        source_compatible=source_compatible,
    )
    explained = explain_clip(model, features, settings)
    assert set(explained.masks) == {"saliency", "occlusion"}
    for name, masks in explained.masks.items():
        expected = make_masks(
            explained.attributions[name][None],
            ["bin", "sigmoid", "topK_30"],
            source_compatible=source_compatible,
        )
        assert list(masks) == list(expected)
        assert all(torch.equal(masks[mask], expected[mask][0]) for mask in masks)


def test_only_scored_masks_have_rows(model, features):
    settings = resolve(explainers=("saliency",), masks=("bin",), listen=("topK_30",))
    explained = explain_clip(model, features, settings)
    found = [(row["explainer"], row["mask"]) for row in explained.rows]
    assert found == [("saliency", "bin")]
    assert all(set(MEASURES) <= set(row) for row in explained.rows)
    without = resolve(explainers=("saliency",), masks=("bin",), listen=())
    assert str(explain_clip(model, features, without).rows) == str(explained.rows)


def rows_of(model, features, **settings):
    return pd.DataFrame(explain_clip(model, features, resolve(**settings)).rows)


def test_floors_are_as_large_as_the_masks(model):
    level = 40 * torch.rand(1, 1, 60, 50, generator=torch.Generator().manual_seed(1)) ** 2
    torch.manual_seed(0)
    large = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
    rows = rows_of(
        large, BASELINE + level, explainers=("saliency", "occlusion", "integrated_gradients")
    )
    assert len(rows) == 3 * 14
    for kind in ("sounding", "energy"):
        difference = (rows[f"kept_{kind}_share"] - rows[f"floor_{kind}_share"]).abs()
        assert difference.max() <= TOLERANCE


def test_keeping_more_is_no_gain():
    """Planted: the network only measures how much is left, so every mask is at its floor."""

    def total(inputs):
        return (inputs - BASELINE).sum((1, 2, 3), keepdim=True)[:, :, 0, 0]

    def only_size(inputs):
        level = total(inputs) / 3000
        return torch.cat([level, 1 - level], dim=1)

    level = 4 * torch.rand(1, 1, 40, 30, generator=torch.Generator().manual_seed(2))
    rows = rows_of(
        Model(only_size), BASELINE + level, explainers=("input_x_gradient", "random-grid")
    )
    wide = rows[rows["mask"].isin(["bin", "topK_5", "topK_30", "topK_50", "sigmoid"])]
    assert wide["AD"].std() > 5  # sizes differ
    for name in ("AD", "FF"):
        scale = {"AD": 100, "FF": 1}[name]
        assert (wide[name] - wide[f"{name}_floor"]).abs().max() < 0.02 * scale


def test_evidence_in_a_place_is_a_gain():
    """Planted: the network hears the first frames only."""

    def early(inputs):
        level = (inputs[:, :, :5] - BASELINE).mean((1, 2, 3))[:, None]
        return torch.cat([3 * level, torch.zeros_like(level)], dim=1)

    level = 4 * torch.rand(1, 1, 40, 30, generator=torch.Generator().manual_seed(2))
    rows = rows_of(
        Model(early), BASELINE + level, explainers=("integrated_gradients",), masks=("topK_30",)
    )
    assert rows["AD"][0] < 1
    assert rows["AD_floor"][0] > 10
    assert rows["FF"][0] > rows["FF_floor"][0] + 0.2


def test_curves_against_size_have_a_row_per_share(model, features):
    explained = explain_clip(model, features, resolve(explainers=("saliency", "occlusion")))
    rows = pd.DataFrame(explained.size_rows)
    assert rows.groupby("explainer")["kept_energy_share"].apply(tuple).tolist() == [SHARES] * 2
    assert {"AD", "AD_floor", "FidIn", "FF_floor"} <= set(rows)


def test_sampling_is_described(model, features):
    settings = resolve(explainers=("kernel_shap", "saliency"), masks=("bin",), samples=600)
    explained = explain_clip(model, features, settings)
    sampled, other = explained.rows
    assert sampled["n_segments"] == 40
    assert sampled["n_samples"] in (514, 602)
    assert 0 < sampled["relative_error"] < 1
    assert -1 <= sampled["agreement"] <= 1
    assert other["n_segments"] is None
    assert set(explained.errors) == {"kernel_shap"}


def test_masks_may_ignore_what_is_not_significant(model, features):
    settings = {"explainers": ("kernel_shap",), "masks": ("bin",), "samples": 100}
    every = explain_clip(model, features, resolve(**settings))
    clear = explain_clip(model, features, resolve(**settings, significant=True))
    values, errors = every.attributions["kernel_shap"], every.errors["kernel_shap"]
    expected = (values > 1.96 * errors).float()
    assert torch.equal(clear.masks["kernel_shap"]["bin"], expected)
    assert torch.equal(every.masks["kernel_shap"]["bin"], (values > 0).float())
    assert float(expected.sum()) < float((values > 0).sum())


def test_the_prediction_is_explained(model, features):
    explained = explain_clip(model, features, resolve(explainers=("saliency",), masks=("bin",)))
    with torch.no_grad():
        probabilities = model(features).softmax(dim=1)[0]
    assert explained.prediction == int(probabilities.argmax())
    assert explained.confidence == pytest.approx(float(probabilities.max()), abs=1e-6)
