import pytest

from autrainer_ext.runs import run_labels


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["A_M_1", "A_M_2"], ["seed 1", "seed 2"]),
        (["A_M_1", "B_M_1", "A_M_2"], ["A, seed 1", "B, seed 1", "A, seed 2"]),
        (["D-all_1", "D-parallel_1", "D-plain_1"], ["all", "parallel", "plain"]),
        (["D-a-1_x", "D-a-12_x"], ["1", "12"]),
        (["A_M_1"], ["A_M_1"]),
        (["A_1", "A_1_x"], ["A_1", "A_1_x"]),
    ],
)
def test_labels_are_what_tells_runs_apart(names, labels):
    assert run_labels(names) == labels
