import pytest
import torch

from autrainer_ext.adaptation import AdaptiveStream

from .conftest import accuracy, same_bits, state, stripes


@pytest.fixture
def mild():
    """A device under which the source model still predicts all classes."""
    features, targets = stripes(96, seed=2)
    return 0.8 * features + 0.2, targets


def test_first_batch_is_predicted_by_the_source_model(model, mild):
    data = mild
    stream = AdaptiveStream(model, batch_size=24)
    with torch.no_grad():
        expected = model(data[0][:24])
    torch.testing.assert_close(stream.predict(data[0][:24]), expected)
    assert stream.events == {"adapted": 1}
    assert stream.model is not model


def test_predictions_do_not_depend_on_later_samples(model, data):
    whole = AdaptiveStream(model, batch_size=20).predict(data[0])
    stream = AdaptiveStream(model, batch_size=20)
    parts = torch.cat([stream.predict(part) for part in data[0].split(7)])
    torch.testing.assert_close(whole, parts)


@pytest.mark.parametrize("method", ["ntta", "tent", "eata", "sar", "shot_im", "batch_norm"])
def test_saved_stream_continues_as_if_it_had_not_stopped(model, mild, method, tmp_path):
    data = mild
    whole = AdaptiveStream(model, method=method, batch_size=16)
    first = AdaptiveStream(model, method=method, batch_size=16)
    expected = whole.predict(data[0])
    first.predict(data[0][:40])
    torch.save(first.state(), tmp_path / "stream.pt")
    second = AdaptiveStream(model, method=method, batch_size=16)
    second.load_state(torch.load(tmp_path / "stream.pt", weights_only=True))
    torch.testing.assert_close(second.predict(data[0][40:]), expected[40:])
    assert second.events == whole.events
    assert same_bits(state(second.model), state(whole.model))


def test_reset_starts_again(model, data):
    stream = AdaptiveStream(model, batch_size=16)
    first = stream.predict(data[0])
    stream.reset()
    assert stream.events == {}
    torch.testing.assert_close(stream.predict(data[0]), first)


def test_classes_one_after_the_other_are_predicted_by_the_source_model(model, data):
    features, targets = data
    order = targets.argsort(kind="stable")
    stream = AdaptiveStream(model, batch_size=16)
    with torch.no_grad():
        expected = accuracy(model(features[order]), targets[order])
    assert accuracy(stream.predict(features[order]), targets[order]) >= expected - 0.011
    assert stream.events["held"] >= 4


def test_samples_that_are_not_finite_do_not_count(model):
    features, _ = stripes(20)
    features[3] = float("nan")
    stream = AdaptiveStream(model, batch_size=20)
    stream.predict(features)
    assert stream.events == {}


def test_batches_have_at_least_two_samples(model):
    with pytest.raises(ValueError, match="Argument 'batch_size' must be at least 2, got 1"):
        AdaptiveStream(model, batch_size=1)
