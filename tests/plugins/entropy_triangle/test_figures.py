import itertools
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt

from autrainer_ext_plugins.entropy_triangle import figures
from autrainer_ext_plugins.entropy_triangle.tables import (
    ConfusionMatrix,
    IntervalSettings,
    coordinate_table,
    summary_table,
)

matplotlib.use("agg")


def confusions(families, seeds=1, epochs=2):
    rng = np.random.default_rng(0)
    for family, seed, epoch in itertools.product(range(families), range(seeds), range(epochs)):
        counts = rng.integers(0, 9, (4, 4)) + (9 + epoch) * np.eye(4, dtype=int)
        name = f"LongNameOfCriterion{family}"
        yield ConfusionMatrix(counts, f"{name}_{seed}", name, name, seed, "test", epoch + 1)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw everything about some families; the figures by the names of their files."""
    saved = {}

    def keep(figure, stem):
        saved[stem.name] = figure
        if not stem.name.startswith("criteria"):
            plt.close(figure)

    monkeypatch.setattr(figures, "save_figure", keep)

    def draw(**how):
        table = coordinate_table(
            list(confusions(**how)), IntervalSettings("shown", 0.95, 100, 0), quiet=True
        )
        summary = summary_table(table, 0.95)
        figures.write_figures(table, summary, tmp_path, confidence=0.95, quiet=True)
        return saved, summary

    yield draw
    plt.close("all")


def test_points_with_an_interval_lie_in_it(drawn):
    saved, _ = drawn(families=5, epochs=1)
    triangle, first, second = saved["criteria_test"].axes[:3]
    for axes in (first, second):
        for bar, point in zip(axes.lines[::2], axes.lines[1::2], strict=True):
            low, high = bar.get_xdata()
            assert low <= point.get_xdata()[0] <= high
    assert len(triangle.patches) == 5


def test_rows_of_the_overview_are_those_of_the_summary(drawn):
    saved, summary = drawn(families=3, seeds=3)
    _, first, second = saved["criteria_test"].axes[:3]
    rows = {view: summary[summary["view"] == view] for view in ("true", "pred", "joint")}
    names = [label.get_text() for label in first.get_yticklabels()]
    said = [name.replace("\n", " ") for name in names]
    assert said == [f"{name} (3 seeds)" for name in rows["joint"]["criterion"]]
    bars, points = first.lines[::2], first.lines[1::2]
    values = rows["joint"]["mutual_information_corrected"]
    np.testing.assert_allclose([point.get_xdata()[0] for point in points], values)
    limits = rows["joint"][["mutual_information_low", "mutual_information_high"]]
    np.testing.assert_allclose([bar.get_xdata() for bar in bars], limits)
    points = second.lines[1::2]
    for view, own in (("true", points[:3]), ("pred", points[3:])):
        found = [point.get_xdata()[0] for point in own]
        np.testing.assert_allclose(found, rows[view]["divergence_corrected"])
    title = saved["criteria_test"].get_suptitle().replace("\n", " ")
    assert "95 % intervals over seeds and samples" in title


def test_two_seeds_are_shown_instead_of_an_interval(drawn):
    saved, summary = drawn(families=2, seeds=2)
    triangle, first = saved["criteria_test"].axes[:2]
    title = saved["criteria_test"].get_suptitle().replace("\n", " ")
    assert "2 seeds: no interval, both shown" in title
    joint = summary[(summary["view"] == "joint") & (summary["split"] == "test")]
    assert not triangle.patches
    seeds = np.array([line.get_xdata() for line in first.lines if line.get_marker() == "|"])
    assert seeds.shape == (2, 2)
    np.testing.assert_allclose(seeds.mean(axis=1), joint["mutual_information"])
    assert np.ptp(seeds, axis=1).all()


def test_twenty_criteria_have_regions_and_looks_of_their_own(drawn):
    saved, _ = drawn(families=20)
    triangle, first = saved["criteria_test"].axes[:2]
    assert len(triangle.patches) == 20
    looks = {
        (line.get_marker(), bar.get_linestyle())
        for bar, line in zip(first.lines[::2], first.lines[1::2], strict=True)
    }
    assert len(looks) == 20


def test_names_that_differ_in_signs_have_figures_of_their_own():
    used = set()
    names = ["a/x", "a_x", "a x", "A_x"]
    stems = [figures._unused(Path("runs") / figures._stem(name), used) for name in names]
    assert [stem.as_posix() for stem in stems] == [
        "runs/a_x",
        "runs/a_x_2",
        "runs/a_x_3",
        "runs/A_x_4",
    ]
