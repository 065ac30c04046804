import numpy as np

from autrainer_ext_plugins.entropy_triangle.tables import (
    ConfusionMatrix,
    IntervalSettings,
    coordinate_table,
    family_labels,
    select_iterations,
)


def test_families_of_one_criterion_are_told_apart():
    made = [
        ConfusionMatrix(np.eye(2, dtype=int), f"{family}_1", family, "Loss", 1, "dev", 1)
        for family in ("Toy_Small_Adam", "Toy_Large_Adam")
    ]
    table = coordinate_table(made, IntervalSettings("none", 0.95, 400, 0), quiet=True)
    assert family_labels(table) == {"Toy_Small_Adam": "Small", "Toy_Large_Adam": "Large"}


def test_iterations_are_multiples_and_the_last_one():
    assert select_iterations(range(1, 12), 4, 3) == [6, 9, 11]
    assert select_iterations(range(1, 4), 9, 1) == [3]
    assert select_iterations([], 1, 1) == []
