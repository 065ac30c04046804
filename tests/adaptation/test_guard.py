import itertools
import math
import re

import pytest
import torch

from autrainer_ext.adaptation.guard import (
    CollapseGuard,
    balanced_entropy,
    predicted_class_entropy,
)


def sure(classes, n_classes=10):
    return 9.0 * torch.nn.functional.one_hot(torch.as_tensor(classes), n_classes)


@pytest.mark.parametrize(
    ("classes", "bits"), [([0] * 8, 0), ([0, 1] * 4, 1), ([0, 1, 2, 3], 2), ([0, 0, 0, 1], 0.8113)]
)
def test_predicted_class_entropy_by_hand(classes, bits):
    assert predicted_class_entropy(sure(classes)) == pytest.approx(bits, abs=1e-4)


def test_no_prediction_has_no_entropy():
    assert predicted_class_entropy(torch.zeros(0, 3)) == 0


@pytest.mark.parametrize(("n", "c"), [(1, 2), (2, 2), (3, 3), (5, 2), (4, 3)])
def test_balanced_entropy_is_the_mean_over_all_batches(n, c):
    every = [
        predicted_class_entropy(sure(batch, c)) for batch in itertools.product(range(c), repeat=n)
    ]
    assert balanced_entropy(n, c) == pytest.approx(sum(every) / c**n, abs=1e-9)


def test_balanced_entropy_of_large_batches_is_that_of_the_classes():
    assert balanced_entropy(5000, 10) == pytest.approx(math.log2(10), abs=2e-3)


def test_balanced_stream_is_safe_and_one_class_is_not():
    generator = torch.Generator().manual_seed(0)
    guard = CollapseGuard()
    for size in (8, 32, 200):
        for _ in range(50):
            assert not guard.sees_narrow(sure(torch.randint(10, (size,), generator=generator)))
    guard.forget()
    for k in range(10):
        assert guard.sees_narrow(sure([k] * 32))


def test_stream_is_judged_by_its_past_too():
    wide, narrow = sure(list(range(10)) * 3 + [0, 1]), sure([0] * 32)
    guard = CollapseGuard(memory=0.7)
    assert guard.sees_narrow(narrow)
    assert guard.is_narrow(wide)
    assert guard.is_narrow(wide), "looking changes nothing"
    verdicts = [guard.sees_narrow(wide) for _ in range(8)]
    assert verdicts[0]
    assert not verdicts[-1]
    guard.forget()
    assert not guard.sees_narrow(wide)


def test_memory_is_of_samples_not_of_batches():
    large, small = CollapseGuard(), CollapseGuard()
    for guard in (large, small):
        guard.sees_narrow(sure(list(range(10)) * 3 + [0, 1]))
    large.sees_narrow(sure([1] * 32))
    for _ in range(4):
        small.sees_narrow(sure([1] * 8))
    assert large.state()["source"] == pytest.approx(small.state()["source"])


def test_constant_skewed_mix_is_never_safe():
    """Six of ten samples of one class in every batch, for a long time."""
    generator = torch.Generator().manual_seed(0)
    guard = CollapseGuard()
    skewed = torch.tensor([0.6] + [0.4 / 9] * 9)
    for _ in range(40):
        assert guard.sees_narrow(sure(torch.multinomial(skewed, 32, True, generator=generator)))


def test_state_continues_a_stream():
    first, second = CollapseGuard(), CollapseGuard()
    first.sees_narrow(sure(list(range(10)) * 3))
    second.load_state(first.state())
    batch = sure([1] * 8)
    assert first.sees_narrow(batch) == second.sees_narrow(batch)
    assert first.state() == second.state()


def test_classes_one_by_one_are_never_steady():
    guard = CollapseGuard()
    stream = torch.arange(10).repeat_interleave(50)
    assert all(guard.sees_narrow(sure(batch)) for batch in stream.split(32))


def test_single_class_is_never_steady():
    guard = CollapseGuard()
    assert all(guard.sees_narrow(sure([7] * 32)) for _ in range(50))


def test_single_samples_are_never_safe():
    guard = CollapseGuard()
    assert all(guard.sees_narrow(sure([k])) for k in range(10))


def test_drift_of_the_adapted_network_is_seen_and_forgotten():
    guard = CollapseGuard(memory=0.0)
    assert guard.sees_collapse(sure([3] * 31 + [4]))
    guard.forget_adapted()
    assert not guard.sees_collapse(sure(list(range(10)) * 3))


@pytest.mark.parametrize("setting", [{"narrow": 1.2}, {"collapsed": -0.1}, {"memory": 1.0}])
def test_settings_have_ranges(setting):
    ((name, value),) = setting.items()
    limits = "[0, 1)" if name == "memory" else "[0, 1]"
    message = f"Argument '{name}' must be in {limits}, got {value}"
    with pytest.raises(ValueError, match=re.escape(message)):
        CollapseGuard(**setting)
