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
        figures.write_figures(table, summary, tmp_path, quiet=True)
        return saved, summary

    yield draw
    plt.close("all")


@pytest.mark.parametrize(("families", "seeds"), [(1, 1), (3, 3), (20, 1)])
def test_texts_of_the_overview_do_not_overlap(drawn, families, seeds):
    saved, _ = drawn(families=families, seeds=seeds, epochs=1)
    figure = saved["criteria_test"]
    triangle, first, second = figure.axes
    texts = [figure._suptitle, first.xaxis.label, second.xaxis.label]
    texts += [axis.label for axis in (triangle.taxis, triangle.laxis, triangle.raxis)]
    texts += [*first.get_yticklabels(), *figure.legends[0].get_texts()]
    texts += [*first.get_xticklabels()[1:-1], *second.get_xticklabels()[1:-1]]
    renderer = figure.canvas.get_renderer()
    boxes = {text.get_text(): text.get_window_extent(renderer) for text in texts if text.get_text()}
    page = figure.bbox
    for name, box in boxes.items():
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, name
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, name
    for (one, box), (other, around) in itertools.combinations(boxes.items(), 2):
        assert not box.overlaps(around), (one, other)


def test_rows_of_the_overview_are_those_of_the_summary(drawn):
    saved, summary = drawn(families=3, seeds=3)
    _, first, second = saved["criteria_test"].axes
    rows = {view: summary[summary["view"] == view] for view in ("true", "pred", "joint")}
    names = [label.get_text() for label in first.get_yticklabels()]
    assert names == [f"{name} (3 seeds)" for name in rows["joint"]["criterion"]]
    bars, points = first.lines[::2], first.lines[1::2]
    values = rows["joint"]["mutual_information_corrected"]
    np.testing.assert_allclose([point.get_xdata()[0] for point in points], values)
    limits = rows["joint"][["mutual_information_low", "mutual_information_high"]]
    np.testing.assert_allclose([bar.get_xdata() for bar in bars], limits)
    points = second.lines[1::2]
    for view, own in (("true", points[:3]), ("pred", points[3:])):
        found = [point.get_xdata()[0] for point in own]
        np.testing.assert_allclose(found, rows[view]["divergence_corrected"])
    assert "intervals over seeds and samples" in saved["criteria_test"]._suptitle.get_text()


def test_two_seeds_are_shown_instead_of_an_interval(drawn):
    saved, summary = drawn(families=2, seeds=2)
    triangle, first, _ = saved["criteria_test"].axes
    assert "2 seeds: no interval, both shown" in saved["criteria_test"]._suptitle.get_text()
    joint = summary[(summary["view"] == "joint") & (summary["split"] == "test")]
    assert not triangle.patches
    seeds = np.array([line.get_xdata() for line in first.lines if line.get_marker() == "|"])
    assert seeds.shape == (2, 2)
    np.testing.assert_allclose(seeds.mean(axis=1), joint["mutual_information"])
    assert np.ptp(seeds, axis=1).all()


def test_twenty_criteria_have_regions_and_looks_of_their_own(drawn):
    saved, _ = drawn(families=20)
    triangle, first, _ = saved["criteria_test"].axes
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
