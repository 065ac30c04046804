import numpy as np
import pandas as pd
import pytest

from autrainer_ext.intervals import mean_interval
from autrainer_ext_plugins.conditions import contributions

VALUES = pd.Series([1.0, 0, 1, 1, 0, 1], index=list("fedcba"))


def test_without_groups_every_value_is_its_own_contribution():
    assert contributions(VALUES, None) is VALUES


def test_groups_of_one_size_contribute_their_means():
    found = contributions(VALUES, np.array([2, 0, 2, 1, 0, 1]))
    assert found.to_dict() == pytest.approx({"b": 0.0, "a": 1.0, "d": 1.0})


def test_mean_of_the_contributions_is_that_of_the_values():
    rng = np.random.default_rng(0)
    for n_groups in (1, 3, 20):
        values = pd.Series(rng.normal(size=50), index=map(str, range(50)))
        groups = rng.integers(n_groups, size=50)
        assert contributions(values, groups).mean() == pytest.approx(values.mean())


def test_sizes_of_groups_alone_give_no_width():
    values = pd.Series(np.full(9, 0.5), index=list("abcdefghi"))
    found = contributions(values, np.array([0, 1, 1, 2, 2, 2, 2, 2, 2]))
    assert found.to_numpy() == pytest.approx(np.full(3, 0.5))


def test_interval_over_groups_of_several_sizes_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        groups = np.repeat(np.arange(60), rng.integers(1, 7, size=60))
        values = rng.normal(size=60)[groups] + rng.normal(size=len(groups)) + 2
        names = [f"{number:03}" for number in range(len(groups))]
        low, high = mean_interval(contributions(pd.Series(values, names), groups), n_resamples=300)
        covered += low <= 2 <= high
    assert abs(covered / 300 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 300)
