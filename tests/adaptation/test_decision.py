import copy

import pytest
import torch
from torch import nn

from autrainer_ext.adaptation.decision import (
    Candidate,
    adapt_to,
    add_bias,
    candidate_scores,
    count_classes,
    evenness_limit,
)
from autrainer_ext.adaptation.mix import mix_bias

from .conftest import Stripes, accuracy, same_bits, state, stripes


def served(model, features):
    with torch.no_grad():
        return model(features)


@pytest.fixture
def data():
    """A device under which the source still predicts all classes, classes equally frequent."""
    features, targets = stripes(96, seed=2)
    return 0.6 * features + torch.linspace(0, 0.6, 12), targets


def test_even_folder_is_adapted_and_better(model, data):
    features, targets = data
    before = state(model)
    result = adapt_to(model, features)
    assert result.decision.served == "adapted"
    assert same_bits(state(model), before), "the model that was given does not change"
    gain = accuracy(served(result.model, features), targets) - accuracy(
        served(model, features), targets
    )
    assert gain > 0.05
    assert {row["candidate"] for row in result.decision.scores} == {
        "source", "statistics", "adapted"
    }  # fmt: skip
    assert len(result.steps) == 9


@pytest.mark.parametrize("kept", [(0,), (1,), (2,), (0, 1)])
def test_uneven_folder_is_never_worse(model, data, kept):
    features, targets = data
    chosen = [i for i, target in enumerate(targets) if target in kept]
    features, targets = features[chosen], targets[chosen]
    result = adapt_to(model, features)
    assert result.decision.served == "source"
    assert accuracy(served(result.model, features), targets) >= accuracy(
        served(model, features), targets
    )


def test_few_samples_are_left_alone_with_a_reason(model, data):
    result = adapt_to(model, data[0][:8], class_names=["noise", "time", "frequency"])
    assert result.decision.served == "source"
    assert "The model is unchanged: 8 files are too few, at least 16 are needed." in (
        result.decision.reason
    )
    assert same_bits(state(result.model), state(model))
    assert "share_frequency" in result.decision.scores[0]


def test_batches_are_joined_and_samples_that_are_not_finite_left_out(model, data):
    spoilt = torch.full_like(data[0][:3], float("nan"))
    whole = adapt_to(model, data[0]).decision
    parts = adapt_to(model, [*data[0].split(40), spoilt]).decision
    assert whole.reason == parts.reason
    torch.testing.assert_close(whole.mix, parts.mix)


def test_always_serves_what_was_adapted(model, data):
    few = data[0][1::3]  # one class only, which the source recognises
    result = adapt_to(model, few, always=True, options={"guard": False})
    assert result.decision.served == "adapted"
    held = adapt_to(model, few, always=True)
    assert held.decision.served == "source"
    assert {step["event"] for step in held.steps} == {"held"}


def test_same_seed_same_model(model, data):
    first, second = (adapt_to(model, data[0], seed=4).model for _ in range(2))
    assert same_bits(state(first), state(second))


def test_network_without_batch_norm_and_plain_modules_are_served(data):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.LayerNorm(192), nn.Linear(192, 3))
    assert adapt_to(plain, data[0]).decision.served in ("source", "adapted")
    assert not hasattr(plain, "output_dim")


@pytest.mark.parametrize(
    ("model", "shape"), [(nn.Linear(4, 1), "(N, 1)"), (nn.Conv1d(1, 2, 1), "(N, 2, 4)")]
)
def test_networks_that_are_no_classifiers_are_refused(model, shape):
    features = torch.zeros(3, 4) if shape == "(N, 1)" else torch.zeros(3, 1, 4)
    with pytest.raises(ValueError, match="needs a classifier") as error:
        adapt_to(model, features)
    assert shape in str(error.value)
    with pytest.raises(ValueError, match="At least 2 samples"):
        adapt_to(model, features[:1])
    assert count_classes(nn.Linear(4, 2), torch.zeros(1, 4)) == 2


def test_bias_is_added_to_the_logits_or_refused(model, data):
    bias = mix_bias(torch.tensor([0.8, 0.1, 0.1]))
    shifted = add_bias(model, bias, data[0][:2])
    torch.testing.assert_close(served(shifted, data[0]), served(model, data[0]) + bias)
    squashed = nn.Sequential(copy.deepcopy(model), nn.Tanh())
    assert add_bias(squashed, bias, data[0][:2]) is None
    assert add_bias(nn.Linear(192, 3, bias=False), bias, torch.zeros(2, 192)) is None


def test_scores_by_hand():
    source = Candidate("source", nn.Identity(), 20 * torch.eye(3)[[0, 1, 2, 2]])
    source.logits[3] = torch.tensor([0.0, 0.0, 0.1])  # not sure
    other = Candidate("adapted", nn.Identity(), 20 * torch.eye(3)[[0, 1, 1, 1]])
    scores = candidate_scores(other, source, ["a", "b", "c"])
    assert scores["agreement"] == 0.5
    assert scores["sure_agreement"] == pytest.approx(2 / 3)
    assert scores["share_b"] == pytest.approx(3.1 / 4.3, abs=1e-4)
    assert scores["entropy"] == pytest.approx(0, abs=1e-6)


def test_evenness_limit_follows_sampling():
    """The random part is 0.4 times the mean unevenness of large even samples."""
    generator = torch.Generator().manual_seed(0)
    counts = torch.multinomial(torch.ones(2000, 10), 200, True, generator=generator)
    shares = torch.stack([torch.bincount(row, minlength=10) / 200 for row in counts])
    drawn = float((shares - 0.1).abs().sum(1).mean())
    assert evenness_limit(200, 10) == pytest.approx(0.25 + 0.4 * drawn, rel=0.03)


def test_frozen_networks_are_refused(data):
    frozen = Stripes().requires_grad_(False)
    with pytest.raises(ValueError, match="All parameters of the network are frozen"):
        adapt_to(frozen, data[0])


def test_clean_data_are_not_spoilt(model):
    features, targets = stripes(96, seed=5)
    result = adapt_to(model, features)
    assert (
        accuracy(served(result.model, features), targets)
        >= accuracy(served(model, features), targets) - 0.011
    )


def test_prior_is_served_on_request_for_few_classes_only():
    """Two of ten classes, four files between the second and a class that does not occur."""
    torch.manual_seed(0)
    model = nn.Linear(10, 10)
    with torch.no_grad():
        model.weight.copy_(torch.eye(10))
        model.bias.zero_()
    sure = 12 * torch.eye(10)[[0] * 20 + [1] * 20]
    unsure = torch.zeros(4, 10)
    unsure[:, 1], unsure[:, 7] = 6.0, 6.1
    features = torch.cat([sure, unsure])
    assert adapt_to(model, features).decision.served == "source"
    result = adapt_to(model, features, same_mix=True)
    assert result.decision.served == "source+prior"
    predicted = served(result.model, features).argmax(1).tolist()
    assert predicted == [0] * 20 + [1] * 24
