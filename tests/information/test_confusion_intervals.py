import csv
import math

import numpy as np
import pytest
from scipy import stats

from autrainer_ext.information import confusion_intervals
from autrainer_ext.information.posterior import (
    QUANTITIES,
    estimate,
    limits,
    present_classes,
    samples_needed,
    table_quantities,
)


def truth(k, accuracy, skew):
    """Shares of classes with frequencies 1 to 1 / skew and mistakes that are even."""
    rows = np.geomspace(1, 1 / skew, k)
    spread = accuracy * np.eye(k) + (1 - accuracy) * (1 - np.eye(k)) / (k - 1)
    return rows[:, None] / rows.sum() * spread


# classes, samples, accuracy, skew: small and extreme cells of docs/studies/intervals.md
CELLS = [(10, 150, 0.8, 6), (8, 200, 0.9, 6), (4, 50, 0.98, 6), (5, 100, 0.2, 1)]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_intervals_cover(cell):
    k, n, accuracy, skew = cell
    shares = truth(k, accuracy, skew)
    true = table_quantities(shares)
    tables = np.random.default_rng(7).multinomial(n, shares.ravel(), 200).reshape(-1, k, k)
    ends = [limits(estimate(table, n_draws=200, seed=t)) for t, table in enumerate(tables)]
    low, high = np.moveaxis(np.array(ends), 1, 0)
    coverage = ((low <= true + 1e-9) & (true - 1e-9 <= high)).mean(axis=0)
    for quantity, share in zip(QUANTITIES, coverage, strict=True):
        # 200 tables: 0.95 with three standard errors; biased intervals hold 0.4 to 0.8
        assert share >= 0.905, quantity
    assert coverage.mean() < 0.99


def test_accuracy_near_one_with_forty_samples_has_an_interval_that_covers():
    counts = np.random.default_rng(1).binomial(40, 0.97, 1000)
    found = {
        hits: confusion_intervals([[hits - 20, 0], [40 - hits, 20]])["accuracy"]
        for hits in set(counts.tolist())
    }
    assert all(interval.low < interval.high for interval in found.values())
    held = np.mean([found[hits].low <= 0.97 <= found[hits].high for hits in counts.tolist()])
    assert 0.92 <= held <= 0.985


def reference(root):
    with (root / "tests/reference/confusion_intervals.csv").open() as file:
        yield from csv.DictReader(file)


def test_limits_are_those_of_the_implementation_of_the_study(root):
    tables = {}
    for row in reference(root):
        key = (int(row["classes"]), row["counts"])
        tables.setdefault(key, []).append(
            [float(row[name]) for name in ("low", "corrected", "high")]
        )
    assert len(tables) == 7
    for (k, counts), expected in tables.items():
        found = estimate(np.array(counts.split(), dtype=int).reshape(k, k), seed=1)
        low, high = limits(found)
        values = np.stack([low, found.corrected.clip(low, high), high], axis=1)
        np.testing.assert_allclose(values, expected, atol=2e-6)


COUNTS = np.array([[40, 6, 2], [4, 50, 5], [1, 9, 32]])


def test_measures_are_functions_of_each_other():
    found = confusion_intervals(COUNTS)
    shared, variation = found["mutual_information"], found["variation_true"]
    for end in ("low", "corrected", "high"):
        assert getattr(found["nit"], end) == pytest.approx(3 ** getattr(shared, end) / 3)
        assert getattr(found["y"], end) == pytest.approx(math.sqrt(3) / 2 * getattr(shared, end))
    assert found["ema"].low == pytest.approx(3**-variation.high)
    assert found["ema"].high == pytest.approx(3**-variation.low)
    beta = stats.beta(122.5, 149 - 122 + 0.5)
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx(
        beta.ppf([0.025, 0.975])
    )
    assert found["accuracy"].corrected == 122 / 149


@pytest.mark.parametrize("n", [1, 3, 19, 20, 49, 50, 99, 100])
def test_intervals_are_given_from_the_number_of_samples_on_that_they_name(n):
    counts = np.zeros((4, 4), dtype=int)
    np.add.at(counts, (np.arange(n) % 4, np.where(np.arange(n) % 5, np.arange(n) % 4, 0)), 1)
    for name, interval in confusion_intervals(counts, n_draws=100).items():
        assert np.isnan(interval.low) == np.isnan(interval.corrected) == (n < interval.n_needed), (
            name
        )
        expected = {"accuracy": 1, "balanced_accuracy": 20, "ema": 50, "nit": 50, "y": 50}
        if name in expected:
            assert interval.n_needed == expected[name]


def test_classes_never_seen_count_until_there_are_ten_samples_for_each_of_the_others():
    few, many = np.diag([9, 10, 0, 0]), np.diag([10, 10, 0, 0])
    assert present_classes(few).tolist() == [0, 1, 2, 3]
    assert present_classes(many).tolist() == [0, 1]
    assert samples_needed("x_pred", 35) == 175


def test_more_confidence_and_fewer_samples_are_wider():
    def width(counts, confidence=0.95):
        found = confusion_intervals(counts, confidence=confidence)["mutual_information"]
        return found.high - found.low

    assert width(COUNTS, 0.8) < width(COUNTS) < width(COUNTS, 0.99)
    assert width(COUNTS * 4) < 0.7 * width(COUNTS)


def test_bias_is_corrected():
    shares, k, n = truth(10, 0.8, 6), 10, 150
    true = table_quantities(shares)
    tables = np.random.default_rng(3).multinomial(n, shares.ravel(), 40).reshape(-1, k, k)
    plugin = np.mean([table_quantities(table) for table in tables], axis=0) - true
    found = [estimate(table, n_draws=100).corrected for table in tables]
    corrected = np.mean(found, axis=0) - true
    for name in ("mutual_information", "variation_true", "variation_pred"):
        q = QUANTITIES.index(name)
        assert abs(corrected[q]) < 0.3 * abs(plugin[q]), name


@pytest.mark.parametrize(
    ("counts", "settings", "message"),
    [
        (
            [[1, 2, 3], [4, 5, 6]],
            {},
            r"must be one square matrix of whole numbers, got shape \(2, 3\)",
        ),
        ([[0.5, 2], [4, 5]], {}, "whole numbers"),
        ([[[1, 2], [3, 4]]], {}, "one square matrix"),
        (COUNTS, {"confidence": 1}, "'confidence' must be between 0 and 1, got 1"),
        (COUNTS, {"n_draws": 10}, "'n_draws' must be at least 100, got 10"),
    ],
)
def test_wrong_arguments_are_rejected(counts, settings, message):
    with pytest.raises(ValueError, match=message):
        confusion_intervals(counts, **settings)


def test_estimate_rejects_tables_without_posterior():
    with pytest.raises(ValueError, match="at least two classes and four samples"):
        estimate(np.array([[1, 0], [0, 1]]))


def test_single_class_has_no_interval():
    assert all(np.isnan(interval.low) for interval in confusion_intervals([[30]]).values())
