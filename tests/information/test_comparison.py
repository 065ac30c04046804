import numpy as np
import pytest

from autrainer_ext.information import (
    ConfusionInterval,
    Contributions,
    compare_groups,
    confusion_intervals,
    sample_contributions,
)
from autrainer_ext.information.contributions import influence
from autrainer_ext.information.posterior import QUANTITIES, table_quantities
from autrainer_ext.intervals import crossed_mean_interval


def predict(rng, y_true, accuracy, k):
    return np.where(rng.random(len(y_true)) < accuracy, y_true, rng.integers(0, k, len(y_true)))


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 4, 400)
    return y_true, predict(rng, y_true, 0.8, 4), predict(rng, y_true, 0.6, 4)


def test_influence_is_the_derivative_by_the_share_of_a_sample():
    rng = np.random.default_rng(1)
    table = rng.dirichlet(np.full(9, 3)).reshape(3, 3)
    cells = np.array(list(np.ndindex(3, 3)))
    found = influence(table, *cells.T)
    # around the mean over the table instead of over the cells
    found = found - np.einsum("c,cq->q", table.ravel(), found)
    for (i, j), own in zip(cells, found, strict=True):
        moved, step = table * (1 - 1e-6), 1e-6
        moved[i, j] += step
        slope = (table_quantities(moved) - table_quantities(table)) / step
        np.testing.assert_allclose(own, slope, atol=1e-4)


def test_contributions_have_the_interval_of_their_measure(labels):
    y_true, y_pred, _ = labels
    counts = np.zeros((4, 4), dtype=int)
    np.add.at(counts, (y_true, y_pred), 1)
    intervals = confusion_intervals(counts)
    for name, found in sample_contributions(y_true, y_pred, 4).items():
        assert found.interval == intervals[name]
        for side, apart, limit in (
            (found.below, found.below_apart, found.interval.low),
            (found.above, found.above_apart, found.interval.high),
        ):
            error = side.std(ddof=1) / np.sqrt(len(side))
            distance = abs(limit - found.interval.corrected)
            assert 1.959964 * error + apart == pytest.approx(distance, abs=1e-9), name
            assert side.mean() == pytest.approx(0, abs=1e-12)


def test_contributions_to_the_accuracy_are_high_for_hits(labels):
    y_true, y_pred, _ = labels
    hit = y_true == y_pred
    for name in ("accuracy", "ema", "mutual_information"):
        below = sample_contributions(y_true, y_pred, 4)[name].below
        assert below[hit].mean() > 0 > below[~hit].mean(), name


def contributions(below, above, corrected=0.5, apart=(0.0, 0.0)):
    interval = ConfusionInterval(corrected, 0.4, 0.6, 50)
    return Contributions(interval, np.array(below), np.array(above), *apart)


def test_one_seed_has_the_interval_of_zou_and_donner():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 5000))
    a, b = (v - v.mean() for v in (a, 0.5 * a + b))
    groups = {
        "a": {"1": [contributions(a, 2 * a, 0.7)]},
        "b": {"1": [contributions(b, 3 * b, 0.5)]},
    }
    (found,) = compare_groups(groups)
    z = 1.96 / np.sqrt(5000)
    half_a, half_b = a.std() * z, b.std() * z
    rho = np.corrcoef(a, b)[0, 1]
    low = np.sqrt(half_a**2 + (3 * half_b) ** 2 - 2 * rho * half_a * 3 * half_b)
    high = np.sqrt((2 * half_a) ** 2 + half_b**2 - 2 * rho * 2 * half_a * half_b)
    assert found.difference == pytest.approx(0.2)
    assert found.difference - found.low == pytest.approx(low, rel=2e-3)
    assert found.high - found.difference == pytest.approx(high, rel=2e-3)


def test_several_seeds_have_the_two_way_interval():
    rng = np.random.default_rng(3)
    sides, values = rng.normal(size=(2, 3, 40)), rng.normal(size=(2, 3))
    sides -= sides.mean(axis=2, keepdims=True)
    groups = {
        name: {
            str(seed): [contributions(sides[g, seed], sides[g, seed], values[g, seed])]
            for seed in range(3)
        }
        for g, name in enumerate("ab")
    }
    (found,) = compare_groups(groups)
    differences = (values[0] - values[1])[:, None] + sides[0] - sides[1]
    assert found.n_seeds == 3
    assert (found.low, found.high) == pytest.approx(crossed_mean_interval(differences))


def test_limits_on_the_border_add_up_and_missing_ones_are_missing():
    zero = np.zeros(50)
    groups = {
        "a": {"1": [contributions(zero, zero, 0.5, (0.1, 0.2))]},
        "b": {"1": [contributions(zero, zero, 0.4, (0.01, 0.02))]},
        "c": {"1": [contributions(zero * np.nan, zero, 0.4)]},
        "d": {"2": [contributions(zero, zero)]},
    }
    one, *others = compare_groups(groups)
    assert (one.low, one.high) == pytest.approx((0.1 - 0.12, 0.1 + 0.21))
    assert [(d.first, d.second) for d in others] == [("a", "c"), ("b", "c")]
    assert all(np.isnan(d.low) for d in others)


def test_equal_predictions_do_not_differ_and_agreement_makes_intervals_narrow(labels):
    y_true, good, poor = labels
    almost = np.where(np.arange(400) < 380, good, poor)
    made = {
        name: {"1": [sample_contributions(y_true, y_pred, 4, seed=0)["ema"]]}
        for name, y_pred in (("good", good), ("same", good), ("almost", almost), ("poor", poor))
    }
    found = {(d.first, d.second): d for d in compare_groups(made)}
    same = found["good", "same"]
    assert (same.difference, same.low, same.high) == pytest.approx((0, 0, 0), abs=0.02)
    widths = {pair: d.high - d.low for pair, d in found.items()}
    assert widths["good", "almost"] < 0.6 * widths["good", "poor"]
    assert found["good", "poor"].low > 0


def test_all_pairs_hold_at_once():
    rng, k, n, held = np.random.default_rng(5), 4, 150, []
    for _ in range(60):
        y_true = rng.integers(0, k, n)
        groups = {
            str(g): {
                "1": [
                    sample_contributions(
                        y_true, predict(rng, y_true, 0.7, k), k, n_draws=100, seed=g
                    )["mutual_information"]
                ]
            }
            for g in range(4)
        }
        held.append(all(d.low <= 0 <= d.high for d in compare_groups(groups)))
    assert np.mean(held) >= 0.87


def test_quantities_without_enough_samples_are_nan():
    found = sample_contributions([0, 1, 1], [0, 1, 0], 2)
    assert np.isnan(found["ema"].below).all()
    assert np.isfinite(found["accuracy"].interval.low)
    assert set(QUANTITIES) <= set(found)
