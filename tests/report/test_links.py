import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from autrainer_ext.report.links import (
    Link,
    choose_sentence,
    group_means,
    rank_link,
    thirds,
)

VALUES = st.lists(st.integers(-4, 4), min_size=5, max_size=40)


def test_link_of_a_worked_case():
    # ranks of y: 2 1 4 3 6 5; sum of squared rank differences 6, rho = 1 - 6 * 6 / (6 * 35)
    link = rank_link(np.arange(6), np.array([1, 0, 3, 2, 5, 4]))
    rho = 1 - 36 / 210
    half_width = 1.959964 * np.sqrt((1 + rho**2 / 2) / 3)
    assert link.rho == pytest.approx(rho)
    assert link.low == pytest.approx(np.tanh(np.arctanh(rho) - half_width), abs=1e-6)
    assert link.high == pytest.approx(np.tanh(np.arctanh(rho) + half_width), abs=1e-6)


@given(VALUES, st.randoms(use_true_random=False))
def test_rho_equals_scipy_and_lies_in_its_interval(values, random):
    x, y = np.array(values), np.array(random.sample(values, len(values)))
    link = rank_link(x, y)
    if link is None:
        assert np.ptp(x) == 0
    else:
        assert link.rho == pytest.approx(spearmanr(x, y).statistic)
        assert -1 <= link.low <= link.rho + 1e-8
        assert link.rho <= link.high + 1e-8 <= 1 + 1e-8


@given(VALUES, st.randoms(use_true_random=False))
def test_turning_one_property_around_turns_the_link_around(values, random):
    x, y = np.array(values), np.array(random.sample(values, len(values)))
    link, turned = rank_link(x, y), rank_link(x, -y)
    if link is not None:
        assert turned.rho == pytest.approx(-link.rho)
        assert (turned.low, turned.high) == pytest.approx((-link.high, -link.low))
        assert turned.direction == -link.direction


def test_recordings_with_an_unknown_property_are_left_out():
    x, y = np.arange(8.0), np.arange(8.0)
    y[[1, 6]] = np.nan
    assert rank_link(x, y).n == 6


@pytest.mark.parametrize("y", [np.ones(9), np.r_[np.arange(4), np.full(5, np.nan)]])
def test_no_link_from_equal_or_too_few_values(y):
    assert rank_link(np.arange(9), y) is None


def test_different_shapes_are_rejected():
    with pytest.raises(ValueError, match="shape"):
        rank_link(np.arange(5), np.arange(6))


@pytest.mark.parametrize("kind", ["continuous", "binary"])
def test_interval_covers(kind):
    rng, covered = np.random.default_rng(0), 0

    def draw(n):
        x, noise = rng.normal(size=(2, n))
        y = 0.4 * x + np.sqrt(1 - 0.16) * noise
        return x, y if kind == "continuous" else (y > 0.8).astype(float)

    truth = spearmanr(*draw(200_000)).statistic
    for _ in range(400):
        link = rank_link(*draw(60))
        covered += link.low <= truth <= link.high
    assert 0.92 <= covered / 400 <= 0.985


@given(st.lists(st.floats(0, 1) | st.just(np.nan), max_size=60))
def test_thirds_follow_the_difficulty(values):
    values = np.array(values, dtype=float)
    found = thirds(values)
    assert ((found == -1) == np.isnan(values)).all()
    for a, b in zip(values, found, strict=True):
        for c, d in zip(values, found, strict=True):
            assert not a < c or b <= d
            assert a != c or b == d


def test_thirds_are_equal_without_ties():
    rng = np.random.default_rng(1)
    assert np.bincount(thirds(rng.permutation(300))).tolist() == [100, 100, 100]


def test_group_means_leave_out_unknown_values():
    values = np.array([1.0, 0.0, np.nan, 4.0])
    rows = group_means(values, np.array([0, 0, 0, 1]), ["a", "b"])
    assert [(row["name"], row["n"], row["mean"]) for row in rows] == [("a", 2, 0.5), ("b", 1, 4.0)]


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (Link(0.5, 0.1, 0.8, 9), "more"),
        (Link(-0.5, -0.8, -0.1, 9), "less"),
        (Link(0.5, -0.1, 0.8, 9), "nothing"),
        (None, "Too few recordings, or one of the two values is the same for all of them."),
    ],
)
def test_sentence_depends_on_the_interval(link, said):
    assert choose_sentence(link, "more", "less", "nothing") == said
