import math
import shutil

import matplotlib
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from autrainer_ext.runs import find_runs, read_run
from autrainer_ext_plugins.plugin import load_plugin

matplotlib.use("agg")
KEYS = ["run", "criterion", "seed", "split", "iteration", "is_best"]
KEYS += ["stratum_column", "stratum", "view"]
COORDINATES = ["divergence", "mutual_information", "variation", "x", "y"]
SCORES = ["accuracy", "balanced_accuracy", "ema", "nit"]
COLUMNS = [*KEYS, *COORDINATES, "n_samples", *SCORES]
SCENES = ["bus", "park", "tram"]
FAMILY = "Toy-{}_Net_Adam_0.1_8_epoch_{}_None_None"


def save(folder, split, rng, order):
    """Outputs of 60 samples that favour their class, in the order given."""
    folder.mkdir(exist_ok=True)
    targets = np.arange(60) % 3
    outputs = rng.normal(size=(60, 3)) + 1.5 * np.eye(3)[targets]
    for name, array in (("outputs", outputs), ("targets", targets), ("indices", np.arange(60))):
        np.save(folder / f"{split}_{name}.npy", array[order])


def make_run(experiment, criterion, seed, *, epochs=3, clean=True):
    rng = np.random.default_rng([seed, len(criterion)])
    path = experiment / "training" / f"{FAMILY.format(criterion, epochs)}_{seed}"
    (path / ".hydra").mkdir(parents=True)
    dataset = {
        "id": f"Toy-{criterion}",
        "criterion": {"torch.nn.CrossEntropyLoss": {}},
        "stratify": ["device", "city"],
        "index_column": "filename",
        "target_column": "scene",
    }
    (path / ".hydra/config.yaml").write_text(yaml.safe_dump({"seed": seed, "dataset": dataset}))
    (path / "target_transform.yaml").write_text(f"$x.LabelEncoder==1:\n  labels: {SCENES}\n")
    (path / "metrics.csv").write_text("iteration\n1\n")
    (path / "_best").mkdir()
    (path / "_best/best_results.yaml").write_text("best_iteration: 2\n")
    for epoch in range(1, epochs + 1):
        save(path / f"epoch_{epoch}", "dev", rng, np.arange(60))
        save(path / f"epoch_{epoch}", "train", rng, rng.permutation(60))
        if clean:
            save(path / f"epoch_{epoch}", "traineval", rng, np.arange(60))
            save(path / f"epoch_{epoch}", "test", rng, np.arange(60))
    save(path / "_test", "test", rng, np.arange(60))
    if clean:
        (path / "_metadata").mkdir()
        for split in ("train", "dev", "test"):
            table = pd.DataFrame({"scene": np.array(SCENES)[np.arange(60) % 3]})
            table["device"] = np.where(np.arange(60) < 40, "a", "b")
            table["city"] = np.where(np.arange(60) < 50, 1.0, np.nan)
            table.to_csv(path / f"_metadata/{split}.csv", index=False)
    return read_run(path)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An experiment of two criteria and three seeds, and what the plugin wrote."""
    experiment = tmp_path_factory.mktemp("results") / "exp"
    for criterion in ("CrossEntropy", "BalancedCrossEntropy"):
        for seed in (1, 2, 3):
            make_run(experiment, criterion, seed, epochs=2)
    folder = experiment / "entropy_triangle"
    folder.mkdir()
    load_plugin("EntropyTriangle", {"n_draws": 100}).run(
        find_runs(experiment.parent, "exp"), folder
    )
    return experiment, pd.read_csv(folder / "coordinates.csv"), folder


def slow(targets, predicted, n_classes):
    """All quantities by view, from probabilities, sample by sample and cell by cell."""
    n = len(targets)
    joint = {}
    for pair in zip(targets, predicted, strict=True):
        joint[pair] = joint.get(pair, 0) + 1 / n
    rows = [sum(p for (i, _), p in joint.items() if i == c) for c in range(n_classes)]
    columns = [sum(p for (_, j), p in joint.items() if j == c) for c in range(n_classes)]
    shared = sum(p * math.log2(p / (rows[i] * columns[j])) for (i, j), p in joint.items())
    rest_true = -sum(p * math.log2(p / columns[j]) for (_, j), p in joint.items())
    rest_pred = -sum(p * math.log2(p / rows[i]) for (i, _), p in joint.items())
    uniform = math.log2(n_classes)
    d_true = uniform + sum(p * math.log2(p) for p in rows if p)
    d_pred = uniform + sum(p * math.log2(p) for p in columns if p)
    recalls = [joint.get((c, c), 0) / rows[c] for c in range(n_classes) if rows[c]]
    scores = {
        "n_samples": n,
        "accuracy": sum(p for (i, j), p in joint.items() if i == j),
        "balanced_accuracy": sum(recalls) / len(recalls),
        "ema": 2**-rest_true,
        "nit": 2**shared / n_classes,
    }
    shares = {
        "true": (d_true / uniform, shared / uniform, rest_true / uniform),
        "pred": (d_pred / uniform, shared / uniform, rest_pred / uniform),
    }
    shares["joint"] = tuple(np.mean([shares["true"], shares["pred"]], axis=0))
    return {
        view: {
            "divergence": d,
            "mutual_information": i,
            "variation": v,
            "x": d + i / 2,
            "y": math.sqrt(3) / 2 * i,
            **scores,
        }
        for view, (d, i, v) in shares.items()
    }


def test_columns_are_those_promised(written):
    _, table, _ = written
    endings = ("corrected", "low", "high")
    limits = [f"{name}_{end}" for name in COORDINATES + SCORES for end in endings]
    assert table.columns.tolist() == [*COLUMNS, "n_needed", *limits]


def test_every_run_split_iteration_stratum_and_view_has_one_row(written):
    _, table, _ = written
    assert not table.duplicated(KEYS).any()
    strata = {("all", "all"), ("device", "a"), ("device", "b"), ("city", "1.0")}
    found = set(zip(table["stratum_column"], table["stratum"], strict=True))
    assert found == strata
    assert set(table["split"]) == {"train", "dev", "test"}
    assert len(table) == 6 * 3 * 2 * 4 * 3


def test_coordinates_are_those_of_the_saved_arrays(written):
    experiment, table, _ = written
    chosen = {
        "all": np.arange(60),
        "a": np.arange(40),
        "b": np.arange(40, 60),
        "1.0": np.arange(50),
    }
    for key, rows in table.groupby(["run", "split", "iteration", "stratum"]):
        run, split, iteration, stratum = key
        folder = experiment / "training" / run / f"epoch_{iteration}"
        prefix = "traineval" if split == "train" else split
        targets = np.load(folder / f"{prefix}_targets.npy")[chosen[stratum]]
        predicted = np.load(folder / f"{prefix}_outputs.npy").argmax(axis=1)[chosen[stratum]]
        expected = slow(targets.tolist(), predicted.tolist(), 3)
        for row in rows.to_dict("records"):
            for name, value in expected[row["view"]].items():
                assert row[name] == pytest.approx(value, abs=1e-7), (key, row["view"], name)


def test_limits_are_ordered_and_within_range(written):
    _, table, _ = written
    is_last = table["iteration"] == 2
    for name in COORDINATES + SCORES:
        low, value, high = (table[f"{name}_{end}"] for end in ("low", "corrected", "high"))
        needed = {"accuracy": 1, "balanced_accuracy": 20, "divergence": 20, "x": 100}.get(name, 50)
        is_given = is_last & (table["n_samples"] >= needed)
        assert is_given.equals(low.notna()), name
        assert (~is_given | (low >= 0) & (low <= value) & (value <= high) & (high <= 1)).all(), name
    accuracy = table["accuracy"][is_last]
    assert (table["accuracy_low"][is_last] <= accuracy).all()
    assert (accuracy <= table["accuracy_high"][is_last]).all()
    assert (table["n_needed"] == 100).all()


def test_summary_is_the_mean_over_seeds_at_the_last_iteration(written):
    _, table, folder = written
    summary = pd.read_csv(folder / "summary.csv")
    assert len(summary) == 2 * 3 * 4 * 3
    assert (summary["n_runs"] == 3).all()
    assert (summary["iterations"] == 2).all()
    assert set(summary["runs"]) == {
        FAMILY.format(criterion, 2) for criterion in ("CrossEntropy", "BalancedCrossEntropy")
    }
    row = summary[
        (summary["criterion"] == "CrossEntropy")
        & (summary["split"] == "test")
        & (summary["stratum"] == "all")
        & (summary["view"] == "pred")
    ].iloc[0]
    runs = table[
        (table["criterion"] == "CrossEntropy")
        & (table["split"] == "test")
        & (table["stratum"] == "all")
        & (table["view"] == "pred")
        & (table["iteration"] == 2)
    ]
    assert len(runs) == 3
    assert row["ema"] == pytest.approx(runs["ema"].mean(), abs=1e-7)
    assert row["ema_sd"] == pytest.approx(runs["ema"].std(ddof=1), abs=1e-7)
    values = runs["ema_corrected"]
    over_runs = values.mean() - stats.t.interval(0.95, 2, values.mean(), stats.sem(values))[0]
    over_samples = values.mean() - runs["ema_low"].mean()
    low = values.mean() - math.hypot(over_runs, over_samples)
    assert row["ema_corrected"] == pytest.approx(values.mean(), abs=1e-7)
    assert row["ema_low"] == pytest.approx(max(low, 0), abs=1e-7)
    assert np.isnan(row["x_low"])  # needs 100 samples


@pytest.mark.parametrize(("checkpoint", "iteration"), [("best", 2), ("last", 3)])
def test_summary_shows_the_best_iteration_on_dev_or_the_last_by_name(
    tmp_path, checkpoint, iteration
):
    run = make_run(tmp_path / "exp", "CrossEntropy", 1)
    table = run_plugin(run, tmp_path / "out", checkpoint=checkpoint)
    summary = pd.read_csv(tmp_path / "out/summary.csv")
    assert set(summary["checkpoint"]) == {checkpoint}
    assert set(summary["iterations"]) == {iteration}
    assert set(table.loc[table["is_best"], "iteration"]) == {2}
    shown = table[table["iteration"] == iteration]
    keys = ["split", "stratum_column", "stratum", "view"]
    both = summary.merge(shown, on=keys)
    assert len(both) == len(summary)
    np.testing.assert_allclose(both["accuracy_x"], both["accuracy_y"])


def test_the_best_iteration_is_shown_even_if_trajectories_leave_it_out(tmp_path):
    run = make_run(tmp_path / "exp", "CrossEntropy", 1, epochs=5)
    table = run_plugin(run, tmp_path / "out", start=4, every=4)
    assert sorted(table["iteration"].unique()) == [2, 4, 5]


def test_two_seeds_have_no_interval(tmp_path):
    for seed in (1, 2):
        make_run(tmp_path / "exp", "CrossEntropy", seed)
    (tmp_path / "out").mkdir()
    settings = {"intervals": "none", "figures": False}
    load_plugin("EntropyTriangle", settings).run(find_runs(tmp_path, "exp"), tmp_path / "out")
    summary = pd.read_csv(tmp_path / "out/summary.csv")
    assert set(summary["n_runs"]) == {2}
    assert summary["accuracy_sd"].notna().all()
    assert summary.filter(regex="_(low|high)$").isna().all(axis=None)


def test_figures_are_there_as_png_and_svg(written):
    experiment, _, folder = written
    runs = [path.name for path in (experiment / "training").iterdir()]
    stems = [f"runs/{run}" for run in runs]
    stems += [f"criteria_{split}" for split in ("train", "dev", "test")]
    for column in ("device", "city"):
        stems += [f"strata/{column}_test_{c}" for c in ("CrossEntropy", "BalancedCrossEntropy")]
    expected = {f"{stem}.{ending}" for stem in stems for ending in ("png", "svg")}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    tables = {"coordinates.csv", "summary.csv", "comparison.csv", "comparison.txt"}
    assert found == expected | tables


def test_criteria_are_compared_on_held_out_splits(written):
    _, _, folder = written
    table = pd.read_csv(folder / "comparison.csv", keep_default_na=False)
    assert set(table["split"]) == {"dev", "test"}
    scores = ["accuracy", "balanced_accuracy", "ema", "mutual_information", "skew"]
    assert table["score"].tolist() == scores * 2
    assert (table["first"] == "BalancedCrossEntropy").all()
    assert (table["n_seeds"] == 3).all()
    assert (table["low"] < table["difference"]).all()
    assert (table["difference"] < table["high"]).all()
    text = (folder / "comparison.txt").read_text()
    assert "test, balanced accuracy: 60 recordings, 3 seeds, intervals over seeds" in text
    assert "cannot be told apart: BalancedCrossEntropy and CrossEntropy" in text


def test_any_groups_of_runs_can_be_compared(written, tmp_path):
    experiment, *_ = written
    runs = find_runs(experiment.parent, "exp")
    settings = {"intervals": "none", "figures": False, "splits": ["test"], "n_draws": 100}
    groups = {"balanced": "*Balanced*", "first seeds": ["*_1", "*_2"]}
    load_plugin("EntropyTriangle", {**settings, "groups": groups}).run(runs, tmp_path)
    table = pd.read_csv(tmp_path / "comparison.csv")
    assert set(table["first"]) == {"balanced"}
    assert (table["n_seeds"] == 2).all()
    means = pd.read_csv(tmp_path / "coordinates.csv").query(
        "iteration == 2 and stratum == 'all' and view == 'pred' and seed < 3"
    ).groupby("criterion")["accuracy"].mean()  # fmt: skip
    # the second group holds the runs of the first, too
    expected = (means["BalancedCrossEntropy"] - means["CrossEntropy"]) / 2
    assert table["difference"][0] == pytest.approx(expected, abs=1e-7)
    with pytest.raises(ValueError, match="Group 'none' of the setting groups matches no run"):
        load_plugin("EntropyTriangle", {**settings, "groups": {"none": "x"}}).run(runs, tmp_path)


def run_plugin(run, folder, **settings):
    folder.mkdir(exist_ok=True)
    load_plugin("EntropyTriangle", {"intervals": "none", "figures": False} | settings).run(
        [run], folder
    )
    return pd.read_csv(folder / "coordinates.csv")


def test_run_without_callbacks_has_its_test_outputs_at_the_best_iteration(tmp_path, capsys):
    run = make_run(tmp_path / "exp", "CrossEntropy", 1, clean=False)
    table = run_plugin(run, tmp_path / "out")
    splits = table.groupby("split")["iteration"].unique()
    assert splits["dev"].tolist() == [1, 2, 3]
    assert splits["test"].tolist() == [2]
    assert "train" not in splits
    assert set(table["stratum"]) == {"all"}
    assert f"Run '{run.name}' saved no tables of their splits" in capsys.readouterr().err
    targets = np.load(run.path / "_test/test_targets.npy")
    predicted = np.load(run.path / "_test/test_outputs.npy").argmax(axis=1)
    expected = slow(targets.tolist(), predicted.tolist(), 3)["true"]
    row = table[(table["split"] == "test") & (table["view"] == "true")].iloc[0]
    assert row["mutual_information"] == pytest.approx(expected["mutual_information"], abs=1e-7)
    assert row.filter(like="_low").isna().all()


def test_online_train_outputs_are_shown_on_request_only(tmp_path):
    run = make_run(tmp_path / "exp", "CrossEntropy", 1, epochs=1)
    assert "train_online" not in set(run_plugin(run, tmp_path / "out")["split"])
    table = run_plugin(run, tmp_path / "out", splits=["train_online"])
    assert set(table["split"]) == {"train_online"}
    # shuffled as they are, samples keep their strata
    targets = np.load(run.path / "epoch_1/train_targets.npy")
    indices = np.load(run.path / "epoch_1/train_indices.npy")
    predicted = np.load(run.path / "epoch_1/train_outputs.npy").argmax(axis=1)
    expected = np.mean((predicted == targets)[indices >= 40])
    assert table[table["stratum"] == "b"]["accuracy"].iloc[0] == pytest.approx(expected, abs=1e-7)


def test_long_trajectories_are_thinned(tmp_path):
    run = make_run(tmp_path / "exp", "CrossEntropy", 1, epochs=5)
    table = run_plugin(run, tmp_path / "out", start=2, every=2)
    assert sorted(table["iteration"].unique()) == [2, 4, 5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"splits": ["dev", "val"]}, "Unknown split 'val'"),
        ({"splits": "dev"}, "Setting 'splits' must be a list, got 'dev'"),
        ({"start": -1}, "Argument 'start' must be a whole number from 0 on, got -1"),
        ({"every": 1.5}, "Argument 'every' must be a whole number from 1 on, got 1.5"),
        ({"checkpoint": "first"}, "Unknown checkpoint 'first'.* Choose from: best, last"),
        ({"intervals": "first"}, "Unknown choice of intervals 'first'"),
        ({"n_draws": 99}, "Argument 'n_draws' must be at least 100, got 99"),
        ({"groups": ["*"]}, "groups must map names to patterns of runs"),
        ({"confidence": 95}, "Argument 'confidence' must be between 0 and 1"),
    ],
)
def test_wrong_settings_fail_before_any_work(settings, message):
    with pytest.raises(ValueError, match=message):
        load_plugin("EntropyTriangle", settings)


def test_missing_and_broken_outputs_are_named(tmp_path):
    run = make_run(tmp_path / "exp", "CrossEntropy", 1, epochs=1, clean=False)
    with pytest.raises(ValueError, match=f"Run '{run.name}' has no outputs of train"):
        run_plugin(run, tmp_path / "out", splits=["traineval"])
    (run.path / "_best/best_results.yaml").write_text("a: [")
    with pytest.raises(ValueError, match="best_results.yaml' names no best iteration"):
        run_plugin(run, tmp_path / "out")
    (run.path / "_best/best_results.yaml").write_text("best_iteration: 1\n")
    (run.path / "epoch_1/dev_outputs.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="dev_outputs.npy' is truncated or not a valid"):
        run_plugin(run, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_shorter_tables_than_outputs_are_named(tmp_path):
    run = make_run(tmp_path / "exp", "CrossEntropy", 1, epochs=1)
    pd.DataFrame({"scene": ["bus"], "device": ["a"], "city": [1]}).to_csv(
        run.path / "_metadata/dev.csv", index=False
    )
    with pytest.raises(ValueError, match="tables have fewer rows than its outputs"):
        run_plugin(run, tmp_path / "out")


CODE = """
import sys
from pathlib import Path
from autrainer_ext.runs import read_run
from autrainer_ext_plugins.plugin import load_plugin
load_plugin("EntropyTriangle", {"n_draws": 100}).run([read_run(sys.argv[1])], Path("."))
print({"torch", "autrainer.training", "autrainer.models", "aucurriculum"} & set(sys.modules))
"""


def test_neither_torch_nor_training_code_is_imported(python, tmp_path):
    run = make_run(tmp_path / "exp", "CrossEntropy", 1, epochs=1)
    assert python(CODE, str(run.path)).splitlines()[-1] == "set()"


@pytest.mark.slow
def test_real_runs_are_placed(tiny, command, tmp_path):
    shutil.copytree(tiny / "results", tmp_path / "results")
    command(
        "autrainer-ext", "postprocess", "results", "clean", "--no-summary",
        "-p", "EntropyTriangle", "-o", "n_draws=100", cwd=tmp_path,
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "results/clean/entropy_triangle/coordinates.csv")
    assert len(table) == 2 * 3 * 3 * 3 * 3  # runs, splits, iterations, strata, views
    np.testing.assert_allclose(
        table[["divergence", "mutual_information", "variation"]].sum(axis=1), 1, atol=1e-6
    )
    for run in find_runs(tmp_path / "results", "clean"):
        rows = table[(table["run"] == run.name) & (table["split"] == "dev")]
        saved = pd.read_csv(run.path / "metrics.csv").set_index("iteration")
        for row in rows[rows["stratum"] == "all"].to_dict("records"):
            accuracy = saved.loc[row["iteration"], "accuracy"]
            assert row["accuracy"] == pytest.approx(accuracy, abs=1e-7)
            uar = saved.loc[row["iteration"], "uar"]
            assert row["balanced_accuracy"] == pytest.approx(uar, abs=1e-7)
