import pytest
import torch
from torch import nn

from autrainer_ext.explanation.evaluation import ClipSettings, explain_clip
from autrainer_ext.explanation.fidelity import MEASURES
from autrainer_ext.explanation.masks import make_masks
from autrainer_ext.explanation.settings import ExplainSettings

BASELINE = -2.0


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


@pytest.fixture
def features():
    return torch.randn(1, 1, 8, 10, generator=torch.Generator().manual_seed(0))


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
    assert set(explained.masks) == {"saliency", "occlusion", "random", "random-grid"}
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
    assert found == [("saliency", "bin"), ("random", "bin")]
    assert all(set(MEASURES) <= set(row) for row in explained.rows)
    without = resolve(explainers=("saliency",), masks=("bin",), listen=())
    assert str(explain_clip(model, features, without).rows) == str(explained.rows)


def test_the_prediction_is_explained(model, features):
    explained = explain_clip(model, features, resolve(explainers=("saliency",), masks=("bin",)))
    with torch.no_grad():
        probabilities = model(features).softmax(dim=1)[0]
    assert explained.prediction == int(probabilities.argmax())
    assert explained.confidence == pytest.approx(float(probabilities.max()), abs=1e-6)
