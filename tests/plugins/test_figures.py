"""Every kind of figure in one column: nothing is cut off, and no text lies on another."""

import itertools

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.axis import Axis
from matplotlib.text import Text

from autrainer_ext.difficulty import ensemble_sizes, measure_run, pool_runs
from autrainer_ext.difficulty.from_runs import MeasuredRun
from autrainer_ext.difficulty.tables import ScoredSplit
from autrainer_ext.explanation.evaluation import Explained
from autrainer_ext.explanation.size_curves import CURVE_MEASURES
from autrainer_ext.style import Style
from autrainer_ext_plugins.adaptation import figures as adaptation
from autrainer_ext_plugins.devices.figures import draw_devices
from autrainer_ext_plugins.difficulty import figures as difficulty
from autrainer_ext_plugins.difficulty import pictures
from autrainer_ext_plugins.entropy_triangle import figures as triangle
from autrainer_ext_plugins.entropy_triangle.tables import (
    ConfusionMatrix,
    IntervalSettings,
    coordinate_table,
    summary_table,
)
from autrainer_ext_plugins.fidelity.panels import draw_panel
from autrainer_ext_plugins.fidelity.sizes import draw_sizes
from autrainer_ext_plugins.latent_space import figures as latent

matplotlib.use("agg")
CRITERIA = ("BalancedCrossEntropyLoss", "CrossEntropyLoss")
RUN = "ToyScenes-{}_CPMobile-14k_Adam_0.003_32_epoch_10_None_None_{}"
RUNS = [RUN.format(criterion, seed) for criterion in CRITERIA for seed in (1, 2)]


def triangles(folder, criteria=CRITERIA, seeds=3, epochs=2, gain=20):
    rng = np.random.default_rng(0)
    strata = [("all", "all"), *(("device", name) for name in "abcd")]
    matrices = [
        ConfusionMatrix(
            rng.integers(0, 9, (4, 4)) + (4 + gain * epoch) * np.eye(4, dtype=int),
            RUN.format(criterion, seed),
            RUN.format(criterion, ""),
            criterion,
            seed,
            split,
            epoch + 1,
            column,
            stratum,
            model="CPMobile-14k",
            dataset="ToyScenes",
        )
        for criterion, seed, epoch in itertools.product(criteria, range(seeds), range(epochs))
        for split in ("train", "dev", "test")
        for column, stratum in (strata if criterion == criteria[0] else strata[:1])
    ]
    table = coordinate_table(matrices, IntervalSettings("shown", 0.95, 100, 0), quiet=True)
    first = table["run"] == matrices[0].run  # one run: they are all alike
    summary = summary_table(table, 0.95)
    labels = triangle.family_labels(table)
    title = lambda split, ends: triangle._title(split, ends, 0.95)  # noqa: E731
    for jobs in (
        triangle._run_jobs(table[first], folder),
        list(triangle._criteria_jobs(table, summary, labels, folder, title))[-1:],
        triangle._strata_jobs(summary, labels, folder, title, "test"),
    ):
        for stem, draw in jobs:
            triangle.save_figure(draw(), stem)


def twenty_criteria(folder):
    names = [f"ClassBalancedFocalLoss{number}" for number in range(20)]
    triangles(folder, names, seeds=1, epochs=1, gain=0)


def enlarged(folder):
    triangles(folder, [f"{name}0" for name in CRITERIA], seeds=2, epochs=1, gain=400)


def devices(folder, names="abcd"):
    parts = [(name, "seen" if name < "d" else "unseen") for name in names]
    parts += [("", "seen"), ("", "unseen"), ("", "all")]
    rows = [
        (run, device, group, 150, share, share - 0.04, share + 0.04)
        for number, run in enumerate(RUNS)
        for share, (device, group) in zip(np.linspace(0.95, 0.4, len(parts)), parts, strict=True)
    ]
    columns = ["run", "device", "group", "n_samples", "accuracy", "accuracy_low", "accuracy_high"]
    table = pd.DataFrame(rows, columns=columns)
    difficulty.save_figure(draw_devices(table, "device"), folder / f"devices_{len(names)}")


def nine_devices(folder):
    devices(folder, [f"s{number}" for number in range(1, 10)])


def difficulties(folder):
    rng = np.random.default_rng(0)
    targets = rng.integers(6, size=300)
    names = ["urban_park", "metro_station", "bus", "airport", "shopping_mall", "tram"]
    runs = []
    for _ in range(4):
        logits = rng.normal(size=(300, 6)) + 2 * np.eye(6)[targets]
        outputs = [(i, i * logits + rng.normal(size=(300, 6))) for i in (1, 2, 3)]
        runs.append(measure_run(outputs, targets, best=3))
    measured = [MeasuredRun(None, run, targets, names, pd.DataFrame()) for run in runs]
    sizes = ensemble_sizes(np.stack([run.hits for run in runs]), [3] * 4)
    scored = ScoredSplit("train", measured, pool_runs(runs), None)
    difficulty.save_figures(scored, sizes, folder)


def gallery(folder):
    rows = [
        (kind, position, 7, "audio/metro-station-lisbon-1000-a.wav", 0.9, "metro_station")
        for kind in ("easiest", "medium", "hardest")
        for position in (1, 2, 3)
    ]
    columns = ["kind", "position", "index", "filename", "cumulative_accuracy", "group"]
    values = np.random.default_rng(0).normal(size=(60, 64))
    run = type("Run", (), {"config": {"dataset": {"id": "ToyScenes"}}})
    pictures.save_sheets(pd.DataFrame(rows, columns=columns), {7: values}, run, folder)


def panel(folder):
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(1, 1, 100, 64))).float()
    one = {"kernel_shap-onsets": features[0]}
    mask = {"kernel_shap-onsets": {"bin": (features[0] > 0).float()}}
    explained = Explained(0, 0.93, one, {name: x.abs() for name, x in one.items()}, mask, [], [])
    figure = draw_panel(
        features,
        explained,
        explainer="kernel_shap-onsets",
        mask="bin",
        baseline=-4.0,
        heading="audio/metro-station-lisbon-1000-a.wav, noise white: metro_station",
        front_end=None,
    )
    difficulty.save_figure(figure, folder / "panel")


def size(folder):
    rng = np.random.default_rng(0)
    rows = []
    names = ("saliency", "integrated_gradients", "grad_cam", "lime", "kernel_shap")
    for explainer, clip, share in itertools.product(names, "abcd", np.linspace(0.1, 0.9, 9)):
        row = {"run": "r", "noise": "clean", "filename": clip, "explainer": explainer}
        row["kept_energy_share"] = share
        for measure in CURVE_MEASURES:
            top = 100 if measure == "AD" else 1
            row |= {f"{measure}{end}": top * rng.uniform() for end in ("", "_floor")}
        rows.append(row)
    difficulty.save_figure(draw_sizes(pd.DataFrame(rows)), folder / "size")


def adapted(folder):
    rng = np.random.default_rng(0)
    cells = itertools.product(
        RUNS[:2],
        ("source", "batch_norm", "tent", "ntta learning_rate=0.02"),
        ("white_noise", "recorded_noise", "low_pass", "reverberation"),
        (1, 3, 5),
    )
    rows = [
        (*cell, "online", "shuffled", 1, rng.normal() / 5)
        for cell in cells
        if cell[1:3] != ("tent", "low_pass")  # a cell that is not computed
    ]
    columns = ["run", "method", "corruption", "severity", "protocol", "order", "seed", "gain"]
    adaptation.write_gains(pd.DataFrame(rows, columns=columns), folder)
    table = pd.DataFrame(rows, columns=columns)
    steps = table.merge(pd.DataFrame({"step": [1, 2, 3]}), how="cross")
    steps["divergence"] = 0.1 * steps["step"]
    steps["mutual_information"] = 0.7 - 0.1 * steps["step"]
    adaptation.write_trajectories(steps, folder)


def space(folder):
    rng = np.random.default_rng(0)
    layers = ["in_c", "stages.block1", "stages.block2.project", "head"]
    rows = [
        (run, "CPMobile-14k", layer, score, 0.6, 0.5, 0.7, 0.2)
        for run in [RUN.format(c, s) for c in CRITERIA for s in range(6)]
        for layer in layers
        for score in ("class_probe", "device_probe", "class_on_other_devices")
    ]
    scores = pd.DataFrame(
        rows, columns=["run", "model", "layer", "score", "value", "low", "high", "chance"]
    )
    diagrams = {
        (RUNS[0], layer): [np.sort(rng.uniform(0, 2, (20, 2))), np.zeros((0, 2))]
        for layer in layers
    }
    table = pd.DataFrame(
        rng.normal(size=(200, 4)), columns=["tsne_x", "tsne_y", "isomap_x", "isomap_y"]
    )
    table["class"] = rng.choice(["metro_station", "bus", "urban_park"], 200)
    table["device"] = rng.choice(list("abcd"), 200)
    table["difficulty"] = rng.uniform(size=200)
    latent.draw_everything(scores, diagrams, {(RUNS[0], "head"): table}, folder)


KINDS = (
    triangles,
    twenty_criteria,
    enlarged,
    devices,
    nine_devices,
    difficulties,
    gallery,
    panel,
    size,
    adapted,
    space,
)


def out_of_view(axis):
    """Labels of ticks beyond the ends of an axis or of one that is off, which are not drawn."""
    low, high = sorted(axis.get_view_interval())
    margin = 1e-9 * (high - low)
    for tick in axis.get_major_ticks():
        if not axis.axes.axison or not low - margin <= tick.get_loc() <= high + margin:
            yield from (tick.label1, tick.label2)


def boxes_of(figure):
    """Every visible text of a figure with its box."""
    figure.draw_without_rendering()
    hidden = {text for axis in figure.findobj(Axis) for text in out_of_view(axis)}
    found = []
    for text in set(figure.findobj(Text)) - hidden:
        shown = text.get_visible() and text.get_text().strip()
        if shown and (text.axes is None or text.axes.get_visible()):
            found.append((text, text.get_window_extent()))
    return found


@pytest.mark.parametrize(
    ("kind", "style"),
    [*((kind, Style()) for kind in KINDS), (space, Style(174, 9)), (devices, Style(174, 9))],
)
def test_texts_of_every_figure_fit_in_one_column(kind, style, monkeypatch, tmp_path):
    drawn = {}
    for module in (adaptation, difficulty, latent, pictures, triangle):
        monkeypatch.setattr(
            module, "save_figure", lambda figure, stem: drawn.update({stem: figure})
        )
    monkeypatch.setattr(pictures, "_axes_of", lambda _run: {})
    with style.applied():
        kind(tmp_path)
        assert drawn
        for stem, figure in drawn.items():
            page = figure.bbox.padded(1)
            texts = boxes_of(figure)
            assert figure.get_figwidth() == pytest.approx(style.column_width / 25.4)
            assert figure.get_suptitle(), stem
            for text, box in texts:
                said = (stem.name, text.get_text())
                assert page.x0 <= box.x0 <= box.x1 <= page.x1, said
                assert page.y0 <= box.y0 <= box.y1 <= page.y1, said
            upright = [(text, box) for text, box in texts if text.get_rotation() % 90 == 0]
            for (one, first), (other, second) in itertools.combinations(upright, 2):
                said = (stem.name, one.get_text(), other.get_text())
                assert not first.padded(-0.5).overlaps(second.padded(-0.5)), said
    plt.close("all")
