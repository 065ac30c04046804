import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from autrainer_ext.adaptation.losses import information
from autrainer_ext.adaptation.methods import BatchNormStatistics, Source, Tent
from autrainer_ext.adaptation.ntta import NTTA
from autrainer_ext.adaptation.protocol import Protocol, adapt, predict, settle
from autrainer_ext.adaptation.streams import stream_order

from .conftest import accuracy, same_bits, state


class Recorder(Source):
    """Source model that writes down what it is shown."""

    def __init__(self, model):
        super().__init__(model)
        self.seen = []

    def step(self, features):
        self.seen.append(("step", features[:, 0, 0, 0].tolist()))
        return super().step(features)

    def predict(self, features):
        self.seen.append(("predict", len(features)))
        return super().predict(features)

    def reset(self):
        super().reset()
        self.seen = [*getattr(self, "seen", []), ("reset", None)]

    def set_progress(self, progress):
        self.seen.append(("progress", progress))


def kinds(recorder):
    return [kind for kind, _ in recorder.seen]


def numbered(n):
    return torch.arange(float(n)).view(n, 1, 1, 1).repeat(1, 1, 16, 12)


def test_online_shows_every_batch_once_in_order(model):
    recorder = Recorder(model)
    outcome = adapt(recorder, numbered(10), Protocol(batch_size=4, seed=3))
    shown = [x for kind, batch in recorder.seen if kind == "step" for x in batch]
    assert shown == outcome.order.tolist() == stream_order("shuffled", 10, seed=3).tolist()
    assert kinds(recorder) == ["reset", "step", "step", "step"]
    assert [row["n_samples"] for row in outcome.steps] == [4, 4, 2]
    assert outcome.seconds_per_sample > 0


def test_predictions_come_back_in_the_order_of_the_features(model, data):
    features, _ = data
    outcome = adapt(Source(model), features, Protocol(batch_size=7))
    torch.testing.assert_close(outcome.logits, model(features).detach())


def test_before_and_after_the_update_differ_by_it(model, data):
    features, _ = data
    order = stream_order("shuffled", 96, seed=0)
    tent = Tent(model, learning_rate=0.01)
    before = adapt(tent, features, Protocol())
    tent.reset()
    expected = torch.zeros(96, 3)
    for positions in np.split(order, 3):
        expected[positions] = tent.predict(features[positions])
        tent.step(features[positions])
    torch.testing.assert_close(before.logits, expected)
    tent.reset()
    for positions in np.split(order, 3):
        tent.step(features[positions])
        expected[positions] = tent.predict(features[positions])
    after = adapt(tent, features, Protocol(predict="after"))
    assert torch.equal(after.logits, expected)
    assert not torch.equal(after.logits, before.logits)


def test_offline_learns_in_passes_then_predicts(model):
    recorder = Recorder(model)
    adapt(recorder, numbered(8), Protocol(mode="offline", passes=2, batch_size=4))
    assert kinds(recorder) == [
        "reset", "progress", "step", "step", "progress", "step", "step", "predict", "predict",
    ]  # fmt: skip
    assert [p for kind, p in recorder.seen if kind == "progress"] == [0, 0.5]
    first, second = (
        [x for kind, batch in recorder.seen[cut] if kind == "step" for x in batch]
        for cut in (slice(0, 4), slice(4, 9))
    )
    assert first != second
    assert sorted(first) == sorted(second) == list(range(8))


def test_offline_keeps_the_pass_with_the_most_information(model, data):
    features, _ = data
    scores, states = [], []
    for passes in (1, 2, 3):
        method = Tent(model, learning_rate=0.3)
        protocol = Protocol(mode="offline", passes=passes)
        scores.append(information(adapt(method, features, protocol).logits))
        states.append(state(model))
        method.reset()
    method = Tent(model, learning_rate=0.3)
    adapt(method, features, Protocol(mode="offline", passes=3, keep="information"))
    assert same_bits(state(model), states[int(np.argmax(scores))])
    method.reset()


def test_episodes_do_not_know_each_other(model, data):
    features, _ = data
    protocol = Protocol(mode="episodic", batch_size=32)
    method = Tent(model, learning_rate=0.05)
    outcome = adapt(method, features, protocol)
    for positions in np.split(outcome.order, 3):
        method.reset()
        method.step(features[positions])
        assert torch.equal(outcome.logits[positions], method.predict(features[positions]))


@pytest.mark.parametrize("mode", ["online", "offline", "episodic"])
def test_same_seed_same_table(mode, model, data):
    protocol = Protocol(mode=mode, passes=2 if mode == "offline" else 1, seed=5)
    first, second = (adapt(NTTA(copy.deepcopy(model), seed=5), data[0], protocol) for _ in range(2))
    assert torch.equal(first.logits, second.logits)
    assert first.steps == second.steps


def test_collapse_of_plain_statistics_when_classes_come_one_by_one(model, data):
    features, targets = data
    shuffled = adapt(BatchNormStatistics(model), features, Protocol(batch_size=16))
    correlated = adapt(
        BatchNormStatistics(model),
        features,
        Protocol(batch_size=16, order="class_correlated"),
        targets=targets,
    )
    assert accuracy(correlated.logits, targets) < accuracy(shuffled.logits, targets) - 0.2


def test_predictions_of_a_whole_change_nothing(model, data):
    method = Tent(model)
    before = state(model)
    logits = predict(method, data[0], Protocol(batch_size=10))
    assert same_bits(before, state(model))
    assert logits.shape == (96, 3)


def test_settled_network_predicts_single_samples_as_batches_do(model, data):
    features, targets = data
    method = Tent(model, learning_rate=0.01)
    in_batches = adapt(method, features, Protocol()).logits
    source = method.source_statistics[0][0]
    settle(method, features, batch_size=32, source_samples=0)
    assert [norm.momentum for norm in method.norms] == [0.1, 0.1]
    with torch.no_grad():
        alone = torch.cat([model(x[None]) for x in features])
    assert accuracy(alone, targets) >= accuracy(in_batches, targets) - 0.05
    with torch.no_grad():
        expected = model.stem[0](features).mean((0, 2, 3))
    torch.testing.assert_close(model.stem[1].running_mean, expected)
    settle(method, features, batch_size=32, source_samples=len(features))
    torch.testing.assert_close(model.stem[1].running_mean, (expected + source) / 2)


def test_settling_leaves_alone_what_it_must(model, data):
    before = state(model)
    settle(Source(model), data[0], batch_size=32)
    settle(Tent(model), data[0][:1], batch_size=32)
    settle(Tent(model), torch.full((4, 1, 16, 12), torch.nan), batch_size=32)
    assert same_bits(before, state(model))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "live"}, "Unknown mode 'live'. .*Choose from: online, offline, episodic"),
        ({"order": "sorted"}, "Unknown order 'sorted'. "),
        ({"predict": "never"}, "Unknown predict 'never'. "),
        ({"keep": "best"}, "Unknown keep 'best'. .*Choose from: last, information"),
        ({"batch_size": 0}, "Argument 'batch_size' must be positive, got 0"),
        ({"passes": 2}, "2 passes need the mode 'offline', got 'online'"),
    ],
)
def test_wrong_protocols_are_rejected(settings, message):
    with pytest.raises(ValueError, match=message):
        Protocol(**settings)


def test_names_tell_what_is_open():
    assert Protocol().name == "online-before"
    assert Protocol(mode="offline", passes=3).name == "offline-3-last"
    assert Protocol(mode="episodic").name == "episodic"


def test_no_sample_is_an_error(model):
    with pytest.raises(ValueError, match="There is no sample to adapt to"):
        adapt(Source(model), torch.zeros(0, 1, 16, 12), Protocol())


def test_norms_that_do_not_run_keep_their_statistics(model, data):
    model.unused = torch.nn.BatchNorm2d(4)
    model.unused.running_mean.fill_(3.0)
    method = Tent(model)
    settle(method, data[0], batch_size=32)
    assert model.unused.running_mean.tolist() == [3.0] * 4
    assert method.norms[-1] is model.unused


def test_average_is_the_mean_of_the_last_half_of_the_steps(model, data):
    method, states = Tent(model, learning_rate=0.01), []
    take = method.step

    def step(features):
        result = take(features)
        states.append([p.detach().clone() for p in method.learning])
        return result

    method.step = step
    adapt(method, data[0], Protocol(mode="offline", passes=2, batch_size=24, keep="average"))
    assert len(states) == 8
    for index, parameter in enumerate(method.learning):
        mean = torch.stack([state[index] for state in states[4:]]).mean(0)
        torch.testing.assert_close(parameter.detach(), mean)


def test_accepted_samples_are_those_of_steps_since_the_last_reset(model, data):
    method = Tent(model)
    events = iter(["adapted", "reset", "adapted", "held"])
    take = method.step
    method.step = lambda features: replace(take(features), event=next(events))
    outcome = adapt(method, data[0], Protocol(batch_size=24))
    accepted = np.zeros(96, bool)
    accepted[outcome.order[48:72]] = True
    assert (outcome.accepted == accepted).all()
