import autrainer
import numpy as np
import pandas as pd
import pytest
from autrainer.metrics import AbstractMetric

from autrainer_ext.information import confusion_counts, ema, entropies, nit, triangle_points
from autrainer_ext.metrics import EMA, NIT, NormalizedMutualInformation
from autrainer_ext.runs import find_runs, read_outputs

NAMES = {"normalized_mutual_information", "ema", "nit"}


def expected(y_true, y_pred, n_classes):
    h = entropies(confusion_counts(y_true, y_pred, n_classes))
    return {
        "normalized_mutual_information": triangle_points(h)["true"].mutual_information,
        "ema": ema(h),
        "nit": nit(h),
    }


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 4, 200)
    return y_true, np.where(rng.random(200) < 0.6, y_true, rng.integers(0, 4, 200))


@pytest.mark.parametrize("metric", [NormalizedMutualInformation(), EMA(), NIT()])
@pytest.mark.parametrize("form", ["arrays", "lists", "names"])
def test_value_is_that_of_the_counts(labels, metric, form):
    value = expected(*labels, 4)[metric.name]
    given = {
        "arrays": labels,
        "lists": [list(part) for part in labels],
        "names": [pd.Series([f"class {c}" for c in part], index=range(7, 207)) for part in labels],
    }[form]
    assert metric(*given) == pytest.approx(value, abs=1e-12)


def test_absent_classes_count_if_their_number_is_given(labels):
    y_true, y_pred = labels
    for metric in (NormalizedMutualInformation(n_classes=9), NIT(n_classes=9)):
        assert metric(y_true, y_pred) == pytest.approx(expected(y_true, y_pred, 9)[metric.name])
    keep = (y_true > 1) & (y_pred > 1)
    h = entropies(confusion_counts(y_true[keep] - 2, y_pred[keep] - 2, 2))
    assert NIT()(y_true[keep], y_pred[keep]) == pytest.approx(nit(h))


def test_single_class():
    same = np.zeros(5, dtype=int)
    found = [metric(same, same) for metric in (NormalizedMutualInformation(), EMA(), NIT())]
    assert found == [0, 1, 1]


@pytest.mark.parametrize("metric", [NormalizedMutualInformation, NIT])
def test_wrong_number_of_classes_stops_the_run(metric, labels):
    with pytest.raises(ValueError, match="Argument 'n_classes' must be at least 1, got 0"):
        metric(n_classes=0)
    with pytest.raises(RuntimeError, match="'n_classes' is 3, but the labels contain 4 classes"):
        metric(n_classes=3)(*labels)


def test_configurations_of_the_host_make_them():
    for config in (
        "autrainer_ext.metrics.EMA",
        {"autrainer_ext.metrics.NIT": {"n_classes": 4}},
    ):
        metric = autrainer.instantiate_shorthand(config, instance_of=AbstractMetric)
        assert metric.compare(0.5, 0.4)
        assert metric.get_best(np.array([0.1, 0.3])) == 0.3


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """Folder with one run that tracks NIT, summarised."""
    directory = tmp_path_factory.mktemp("metrics")
    metrics = "autrainer_ext.metrics"
    (directory / "conf").mkdir()
    (directory / "conf/config.yaml").write_text(
        "defaults: [_autrainer_, _self_]\n"
        "results_dir: results\n"
        "experiment_id: toy\n"
        "iterations: 3\n"
        "device: cpu\n"
        "hydra: {sweeper: {params: {+seed: 1, +batch_size: 32, +learning_rate: 0.01,\n"
        "  dataset: ToyTabular-C, model: ToyFFNN, optimizer: Adam}}}\n"
    )
    settings = (
        f"dataset.metrics=[{metrics}.NormalizedMutualInformation,{metrics}.EMA,{metrics}.NIT]",
        f"dataset.tracking_metric={metrics}.NIT",
    )
    command("autrainer", "train", *[f"++{setting}" for setting in settings], cwd=directory)
    command("autrainer", "postprocess", "results", "toy", cwd=directory)
    return directory


@pytest.mark.slow
def test_host_tracks_tabulates_and_plots_them(trained):
    (run,) = find_runs(trained / "results", "toy")
    table = pd.read_csv(run.path / "metrics.csv", index_col="iteration")
    summary = pd.read_csv(trained / "results/toy/summary/metrics.csv")
    assert set(table.columns) >= NAMES
    assert set(summary.columns) >= NAMES
    for name in NAMES:
        plots = trained / "results/toy/summary/plots/training_plots"
        assert list(plots.glob(f"{name}.*")), name
    for iteration in run.iterations:
        outputs = read_outputs(run, "dev", iteration)
        found = expected(outputs.targets, outputs.outputs.argmax(axis=1), 10)
        for name in NAMES:
            assert table.loc[iteration, name] == pytest.approx(found[name], abs=1e-6)
    best = read_outputs(run, "dev", int(table["nit"].idxmax()))
    np.testing.assert_array_equal(best.outputs, read_outputs(run, "dev").outputs)


@pytest.mark.parametrize("n", range(2, 60))
def test_perfect_predictions_score_exactly_one(n):
    y = np.repeat(np.arange(n), 7)
    assert NormalizedMutualInformation()(y, y) == 1.0
