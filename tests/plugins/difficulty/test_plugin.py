import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from autrainer_ext.runs import find_runs, read_run
from autrainer_ext_plugins.plugin import load_plugin

pytestmark = pytest.mark.slow


def test_order_of_runs_changes_no_table(output, project, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(project[0])
    plugin = load_plugin("Difficulty", {"stop": "last", "gallery": False})
    plugin.run(project[1][::-1], tmp_path)
    for name in ("scores", "agreement", "classes", "ensembles"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (output / f"{name}.csv").read_bytes()
    assert not (tmp_path / "gallery").exists()
    sizes = pd.read_csv(tmp_path / "ensembles.csv")
    enough = (
        "1 of 2 runs reach" if sizes["with_all"][0] >= 0.95 else "no part of the 2 runs reaches"
    )
    assert f"Ensembles: {enough} a" in capsys.readouterr().err


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
    for path in (run / "_metadata").glob("*.csv"):
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
        ({"runs": "none*"}, r"No run matches 'none\*'"),
        ({"splits": ["valid"]}, "Unknown split 'valid'"),
        ({"stop": "first"}, "Unknown stop 'first'.* Choose from: best, last"),
        ({"average": "mean"}, "Unknown average 'mean'.* Choose from: micro, macro"),
        ({"tie_break": "loss"}, "Unknown tie_break 'loss'.* Choose from: None, margin"),
        ({"examples": 0}, "'examples' must be at least 1, got 0"),
        ({"layer": "nowhere", "examples": 1}, "Unknown layer 'nowhere'"),
    ],
)
def test_wrong_settings_are_named(project, tmp_path, monkeypatch, settings, message):
    monkeypatch.chdir(project[0])
    with pytest.raises(ValueError, match=message):
        load_plugin("Difficulty", {"n_resamples": 0, **settings}).run(project[1], tmp_path)


def test_runs_without_clean_outputs_are_named(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny)
    runs = find_runs("results", "plain")
    with pytest.raises(
        ValueError, match=rf"Runs such as '{runs[0].name}' did not save clean .*\.CleanOutputs"
    ):
        load_plugin("Difficulty", {"splits": ["train"]}).run(runs, tmp_path)
