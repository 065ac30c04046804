import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from scipy.stats import spearmanr

from autrainer_ext.difficulty import measure_run, pool_runs, rank_difficulty
from autrainer_ext.runs import find_runs, read_outputs, read_run
from autrainer_ext_plugins.plugin import load_plugin

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tiny, tmp_path_factory):
    """The tiny runs beside a data folder that holds audio, and what the plugin made of them."""
    folder = tmp_path_factory.mktemp("difficulty")
    shutil.copytree(tiny / "results/clean", folder / "results/clean")
    shutil.copytree(tiny / "data", folder / "data")
    for index in range(36):
        soundfile.write(folder / f"data/default/train-{index}.wav", np.full(80, index / 100), 8000)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runs = find_runs("results", "clean")
        output = folder / "results/clean/difficulty"
        output.mkdir()
        load_plugin("Difficulty", {"stop": "last", "examples": 2}).run(runs, output)
    return folder, runs


@pytest.fixture(scope="module")
def output(project):
    return project[0] / "results/clean/difficulty"


@pytest.fixture(scope="module")
def pooled(project):
    """Measures of the training split, straight from the files."""
    measured = []
    for run in project[1]:
        path = project[0] / "results/clean/training" / run.name
        saved = [np.load(path / f"epoch_{e}/traineval_outputs.npy") for e in (1, 2, 3)]
        targets = np.load(path / "epoch_1/traineval_targets.npy")
        measured.append(measure_run(list(enumerate(saved)), targets, best=0))
    return pool_runs(measured)


def test_scores_hold_every_sample_of_every_split_with_its_columns(output, project, pooled):
    table = pd.read_csv(output / "scores.csv")
    assert table.columns.tolist() == [
        "split", "index", "filename", "target", "scene", "device",
        "hits", "count", "cumulative_accuracy", "rank", "rank_low", "rank_high", "tie_size",
        "margin", "cumulative_probability", "first_learnt", "forgetting_events", "confidence",
        "variability", "loss",
    ]  # fmt: skip
    assert table["split"].value_counts().to_dict() == {"train": 36, "test": 18, "dev": 12}
    train = table[table["split"] == "train"]
    data = pd.read_csv(project[0] / "data/train.csv")
    for column in ("filename", "scene", "device"):
        assert train[column].tolist() == data[column].tolist()
    assert train["target"].tolist() == data["scene"].tolist()
    for column in ("hits", "cumulative_accuracy", "margin", "variability", "forgetting_events"):
        np.testing.assert_allclose(train[column], getattr(pooled, column), rtol=1e-6)
    ranks = rank_difficulty(pooled.cumulative_accuracy)
    np.testing.assert_allclose(train["rank_high"], ranks.rank_high, rtol=1e-6)


def test_agreement_is_between_what_the_runs_differ_in(output, project):
    table = pd.read_csv(output / "agreement.csv")
    assert table["of"].tolist() == ["seed", "all pairs", "classes and test", "pair"]
    hits = []
    for run in project[1]:
        path = project[0] / "results/clean/training" / run.name
        hits.append(
            sum(
                np.load(path / f"epoch_{e}/traineval_outputs.npy").argmax(axis=1)
                == np.load(path / f"epoch_{e}/traineval_targets.npy")
                for e in (1, 2, 3)
            )
        )
    assert table["spearman"][0] == pytest.approx(spearmanr(*hits).statistic, rel=1e-6)
    assert table["spearman_low"][0] < table["spearman"][0] < table["spearman_high"][0]
    assert (table["first"][3], table["second"][3]) == tuple(run.name for run in project[1])
    sizes = pd.read_csv(output / "ensembles.csv")
    assert sizes["size"].tolist() == [1, 2]
    assert sizes["disjoint"][0] == pytest.approx(table["spearman"][0], rel=1e-6)


def test_classes_have_their_difficulty_and_their_accuracy(output, project, pooled, monkeypatch):
    monkeypatch.chdir(project[0])
    table = pd.read_csv(output / "classes.csv").query("split == 'train'").set_index("target")
    test = [read_outputs(run, "test") for run in project[1]]
    for label, name in enumerate(["bus", "park", "tram"]):
        of_class = test[0].targets == label
        accuracy = np.mean([(o.outputs.argmax(axis=1) == label)[of_class].mean() for o in test])
        assert table["test_accuracy"][name] == pytest.approx(accuracy, rel=1e-6)
        scores = pooled.cumulative_accuracy[np.arange(36) % 3 == label]
        assert table["cumulative_accuracy"][name] == pytest.approx(scores.mean(), rel=1e-6)
        low, high = table["cumulative_accuracy_low"][name], table["cumulative_accuracy_high"][name]
        assert low <= scores.mean() <= high
    assert table["cumulative_accuracy"].is_monotonic_increasing


def test_the_gallery_shows_audio_pictures_and_predictions(output, project, pooled):
    gallery = output / "gallery"
    table = pd.read_csv(gallery / "index.csv")
    assert table["group"].unique().tolist() == ["all classes", "bus", "park", "tram"]
    assert (table.groupby(["group", "kind"]).size() == 2).all()
    data = pd.read_csv(project[0] / "data/train.csv")
    for row in table.to_dict("records"):
        index = row["index"]
        assert row["filename"] == f"train-{index}.wav"
        assert row["group"] in ("all classes", data["scene"][index])
        samples, _ = soundfile.read(gallery / row["audio"])
        np.testing.assert_allclose(samples, index / 100, atol=1e-4)
        assert (gallery / row["picture"]).stat().st_size > 1000
        assert (gallery / row["explanation"]).stat().st_size > 1000
        for run in project[1]:
            path = project[0] / "results/clean/training" / run.name
            predicted = np.load(path / "epoch_3/traineval_outputs.npy")[index].argmax()
            assert row[run.name] == ["bus", "park", "tram"][predicted]
    for group, members in [("all classes", range(36)), ("park", range(1, 36, 3))]:
        scores = pooled.cumulative_accuracy[list(members)]
        rows = table[table["group"] == group].set_index("kind")["cumulative_accuracy"]
        np.testing.assert_allclose(rows["easiest"], np.sort(scores)[::-1][:2], rtol=1e-6)
        np.testing.assert_allclose(rows["hardest"], np.sort(scores)[:2], rtol=1e-6)
    ties = table[table["group"] == "all classes"]
    assert ties["tied_in_group"].tolist() == ties["tie_size"].tolist()


def test_figures_and_sheets_are_there(output):
    for stem in ("class_scores", "cartography", "ensemble_sizes", "gallery/all_classes"):
        for suffix in ("png", "svg"):
            assert (output / f"{stem}.{suffix}").stat().st_size > 5000


def test_order_of_runs_changes_no_table(output, project, tmp_path, monkeypatch):
    monkeypatch.chdir(project[0])
    plugin = load_plugin("Difficulty", {"stop": "last", "gallery": False})
    plugin.run(project[1][::-1], tmp_path)
    for name in ("scores", "agreement", "classes", "ensembles"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (output / f"{name}.csv").read_bytes()
    assert not (tmp_path / "gallery").exists()


def test_a_single_run_has_no_agreement_and_says_where_audio_is_missing(
    tiny, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tiny)
    runs = find_runs("results", "clean")
    plugin = load_plugin("Difficulty", {"runs": "*_1", "examples": 1, "n_resamples": 9})
    plugin.run(runs, tmp_path)
    assert pd.read_csv(tmp_path / "agreement.csv")["of"].tolist() == ["classes and test"]
    assert not (tmp_path / "ensemble_sizes.png").exists()
    index = pd.read_csv(tmp_path / "gallery/index.csv")
    assert index["audio"].isna().all()
    told = capsys.readouterr().err
    assert f"No audio for {index['index'].nunique()} of" in told
    assert "Ties larger than 1 samples, drawn with seed 0: all classes, easiest: " in told


def test_margins_break_ties_on_request(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project[0])
    settings = {"tie_break": "margin", "gallery": False, "splits": ["train"], "n_resamples": 0}
    load_plugin("Difficulty", settings).run(project[1], tmp_path)
    table = pd.read_csv(tmp_path / "scores.csv")
    assert (table["tie_size"] == 1).all()
    order = table.sort_values("rank")
    assert (np.diff(order["cumulative_accuracy"]) <= 0).all()


def test_one_run_with_one_checkpoint_of_one_class_works(tiny, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(next((tiny / "results/clean/training").glob("*_1")), run)
    for epoch in (2, 3):
        shutil.rmtree(run / f"epoch_{epoch}")
    for path in run.rglob("*_outputs.npy"):
        np.save(path, np.load(path)[:, :1])
    for path in run.rglob("*_targets.npy"):
        np.save(path, 0 * np.load(path))
    for path in (run / "_metadata").iterdir():
        pd.read_csv(path).assign(scene="bus").to_csv(path, index=False)
    for name, changes in {
        "target_transform.yaml": {"labels": ["bus"]},
        ".hydra/config.yaml": {"iterations": 1},
        "_best/best_results.yaml": {"best_iteration": 1},
    }.items():
        content = yaml.safe_load((run / name).read_text())
        (next(iter(content.values())) if "labels" in changes else content).update(changes)
        (run / name).write_text(yaml.safe_dump(content))
    load_plugin("Difficulty", {"gallery": False}).run([read_run(run)], tmp_path)
    table = pd.read_csv(tmp_path / "scores.csv")
    assert len(table) == 36 + 12 + 18
    assert set(table["rank"]) == {0.5}
    assert (table["cumulative_probability"] == 1).all()
    assert pd.read_csv(tmp_path / "agreement.csv").empty


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runs": "none*"}, r"no run matches 'none\*'"),
        ({"splits": ["valid"]}, "splits must be one of .*, got 'valid'"),
        ({"stop": "first"}, "stop must be one of .*, got 'first'"),
        ({"average": "mean"}, "average must be one of .*, got 'mean'"),
        ({"tie_break": "loss"}, "tie_break must be one of .*, got 'loss'"),
        ({"examples": 0}, "examples must be at least 1, got 0"),
        ({"layer": "nowhere", "examples": 1}, "no layer 'nowhere'"),
    ],
)
def test_wrong_settings_are_named(project, tmp_path, monkeypatch, settings, message):
    monkeypatch.chdir(project[0])
    with pytest.raises(ValueError, match=message):
        load_plugin("Difficulty", {"n_resamples": 0, **settings}).run(project[1], tmp_path)


def test_runs_without_clean_outputs_are_named(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny)
    runs = find_runs("results", "plain")
    with pytest.raises(ValueError, match=rf"such as '{runs[0].name}', has clean .*\.CleanOutputs"):
        load_plugin("Difficulty", {"splits": ["train"]}).run(runs, tmp_path)
