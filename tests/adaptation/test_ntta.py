import pytest
import torch

from autrainer_ext.adaptation.guard import CollapseGuard
from autrainer_ext.adaptation.methods import Source
from autrainer_ext.adaptation.ntta import NTTA, decayed, find_time_axis
from autrainer_ext.adaptation.protocol import Protocol, adapt

from .conftest import accuracy, same_bits, state


def test_views_are_circular_shifts_both_ways(model):
    features = torch.arange(40.0).view(1, 1, 40, 1).repeat(2, 1, 1, 3)
    ntta = NTTA(model, max_shift=0.25)
    shifts = [[int(view[0, 0, 0, 0]) for view in ntta.views(features)] for _ in range(200)]
    assert {(-first) % 40 for first, _ in shifts} == set(range(11))
    assert {second for _, second in shifts} == set(range(11))
    for view in ntta.views(features):
        assert sorted(view[1, 0, :, 2].tolist()) == list(range(40))
    one = NTTA(model, views=1).views(features)
    assert len(one) == 1
    assert one[0] is features


def test_prediction_of_two_views_is_their_average(model):
    logits = [torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, 2.0, 0.0]])]
    combined = NTTA(model).combine(logits)
    expected = (logits[0].softmax(1) + logits[1].softmax(1)) / 2
    torch.testing.assert_close(combined.softmax(1), expected)


def test_terms_are_weighted_means_over_views(model):
    ntta = NTTA(model, nuclear_norm=2, entropy=3, generalised_entropy=0.5, q=2.0, diversity=0.25,
                consistency=4, form="frobenius")  # fmt: skip
    logits = [torch.randn(5, 3, generator=torch.Generator().manual_seed(s)) for s in (0, 1)]
    p = [part.softmax(1) for part in logits]
    terms = ntta.terms(logits)
    m = [part.mean(0) for part in p]
    expected = {
        "nuclear_norm": -2 * sum(part.norm() for part in p) / 2,
        "entropy": 3 * sum(-(part * part.log()).sum(1).mean() for part in p) / 2,
        "generalised_entropy": 0.5 * sum((1 - part.square().sum(1)).mean() for part in p) / 2,
        "diversity": 0.25 * sum((part * part.log()).sum() for part in m) / 2,
        "consistency": 4 * (p[0] - p[1]).norm(dim=1).mean(),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)


def test_schedule_of_the_source(model):
    assert decayed(0.1, 0.0, 10) == 0.1
    assert decayed(0.1, 0.5, 10) == pytest.approx(0.1 * 6**-0.75)
    assert decayed(0.1, 0.9, 0) == 0.1
    ntta = NTTA(model, learning_rate=0.1)
    ntta.set_progress(0.5)
    assert ntta._optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 6**-0.75)
    ntta.reset()
    assert ntta._optimizer.param_groups[0]["lr"] == 0.1


def test_guard_keeps_the_source_model_in_a_stream_of_classes(model, data):
    features, targets = data
    protocol = Protocol(order="class_correlated", batch_size=16)
    source = accuracy(Source(model).predict(features), targets)
    unguarded = adapt(
        NTTA(model, learning_rate=0.05, guard=False), features, protocol, targets=targets
    )
    assert accuracy(unguarded.logits, targets) < source - 0.1
    guarded = NTTA(model, learning_rate=0.05)
    before = state(model)
    outcome = adapt(guarded, features, protocol, targets=targets)
    assert accuracy(outcome.logits, targets) >= source - 0.05
    assert {row["event"] for row in outcome.steps} == {"held"}
    assert same_bits(before, state(model))


def test_guard_resets_a_network_that_drifts_to_one_class(model, data):
    guard = CollapseGuard(narrow=0.0, collapsed=0.9, memory=0.0)
    with torch.no_grad():
        model.head.bias[0] += 100
    before = state(model)
    ntta = NTTA(model, guard=guard, learning_rate=0.01)
    assert ntta.step(data[0][:32]).event == "reset"
    assert same_bits(before, state(model))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: NTTA(m, entropy=-1), "Argument 'entropy' must not be negative, got -1"),
        (lambda m: NTTA(m, nuclear_norm=0, entropy=0), "At least one weight"),
        (lambda m: NTTA(m, views=3), "Argument 'views' must be 1 or 2, got 3"),
        (lambda m: NTTA(m, views=1, consistency=1), "set views=2"),
        (lambda m: NTTA(m, batch_share=0), r"Argument 'batch_share' must be in \(0, 1\], got 0"),
        (lambda m: NTTA(m, max_shift=2), r"Argument 'max_shift' must be in \[0, 1\], got 2"),
    ],
)
def test_wrong_settings_are_rejected(model, make, message):
    with pytest.raises(ValueError, match=message):
        make(model)


def test_learning_rate_of_the_pass_survives_a_reset(model, data):
    ntta = NTTA(model, guard=CollapseGuard(narrow=0, collapsed=1.0), learning_rate=0.04)
    ntta.reset()
    ntta.set_progress(0.5)
    constant = data[0][:1].repeat(16, 1, 1, 1)  # predicted as one class: collapse
    assert ntta.step(constant).event == "reset"
    rate = ntta._optimizer.param_groups[0]["lr"]
    assert rate == pytest.approx(0.04 * 6**-0.75)
    ntta.reset()
    assert ntta._optimizer.param_groups[0]["lr"] == 0.04


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((4, 1, 96, 64), -2), ((4, 96, 64), -2), ((4, 16000), -1), ((4, 2, 16000), -1)],
)
def test_views_are_shifted_along_time(shape, axis):
    assert find_time_axis(torch.zeros(shape)) == axis
