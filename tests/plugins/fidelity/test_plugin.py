import numpy as np
import pandas as pd
import pytest
import torch

from autrainer_ext.runs import find_runs
from autrainer_ext_plugins.fidelity import clips
from autrainer_ext_plugins.fidelity.plugin import Fidelity
from autrainer_ext_plugins.plugin import load_plugin

SETTINGS = {
    "explainers": ["saliency", "occlusion"],
    "masks": ["bin", "topK_30"],
    "max_samples": 4,
    "panels": 0,
    "baseline": -1.5,
}


@pytest.fixture
def runs(tiny, monkeypatch):
    monkeypatch.chdir(tiny)
    return find_runs("results", "clean")


def test_configuration_is_the_plugin():
    plugin = load_plugin("Fidelity", {"max_samples": 7})
    assert isinstance(plugin, Fidelity)
    assert plugin.max_samples == 7
    assert len(plugin.settings.scored_masks) == 14
    assert plugin.renamed == {"silence": "baseline"}


def test_test_samples_are_scored_beside_the_floor(runs, tmp_path):
    load_plugin("Fidelity", SETTINGS).run(runs, tmp_path)
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert len(scores) == 2 * 4 * 2 * 2  # runs, samples, explainers, masks
    assert set(scores["explainer"]) == {"saliency", "occlusion"}
    assert set(scores["run"]) == {run.name for run in runs}
    assert scores.groupby("run")["filename"].nunique().tolist() == [4, 4]
    assert (scores["correct"] == (scores["target"] == scores["prediction"])).all()
    for run in runs:  # the predictions are those the host saved
        outputs = np.load(run.path / "_test/test_outputs.npy")
        indices = np.load(run.path / "_test/test_indices.npy")
        own = scores[scores["run"] == run.name].drop_duplicates("filename")
        logits = torch.from_numpy(outputs[np.argsort(indices)])
        confidence = logits.softmax(1).max(1).values.numpy()
        numbers = own["filename"].str.extract(r"test-(\d+)")[0].astype(int)
        np.testing.assert_allclose(own["confidence"], confidence[numbers], atol=1e-4)
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert {"mean", "low", "high", "floor", "gain"} <= set(summary)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "areas.csv",
        "comparison.csv",
        "scores.csv",
        "size.csv",
        "size.png",
        "size.svg",
        "summary.csv",
    ]


def test_what_was_interrupted_is_continued(runs, tmp_path, monkeypatch):
    whole, again = tmp_path / "whole", tmp_path / "again"
    for folder in (whole, again):
        folder.mkdir()
    load_plugin("Fidelity", SETTINGS).run(runs, whole)
    explain_clip, calls = clips.explain_clip, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return explain_clip(*arguments)

    monkeypatch.setattr(clips, "explain_clip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_plugin("Fidelity", SETTINGS).run(runs, again)
    load_plugin("Fidelity", SETTINGS).run(runs, again)
    assert len(calls) == 3 + 6
    for name in ("scores.csv", "summary.csv"):
        assert (again / name).read_bytes() == (whole / name).read_bytes()


def test_shards_give_the_tables_of_one_process(runs, tmp_path, three_shards):
    whole, divided = tmp_path / "whole", tmp_path / "divided"
    for folder, shards in ((whole, Fidelity.shards), (divided, three_shards)):
        folder.mkdir()
        plugin = load_plugin("Fidelity", SETTINGS)
        plugin.shards = shards
        plugin.run(runs, folder)
    assert len(list(three_shards.folder.glob("results/*"))) == 2 * 4  # runs, samples
    for path in whole.glob("*.csv"):
        assert (divided / path.name).read_bytes() == path.read_bytes()


def test_first_samples_are_drawn(runs, tmp_path):
    load_plugin("Fidelity", SETTINGS | {"panels": 1, "max_samples": 1}).run(runs[:1], tmp_path)
    folder = tmp_path / "clips" / runs[0].name / "none"
    assert sorted(path.name for path in folder.glob("*/*.png")) == ["occlusion.png", "saliency.png"]


def test_cost_is_stated_and_fills_the_minutes(runs, tmp_path, capsys):
    settings = SETTINGS | {"max_samples": None, "explainers": ["saliency"], "masks": ["bin"]}
    load_plugin("Fidelity", settings | {"minutes": 1e-9}).run(runs, tmp_path)
    message = capsys.readouterr().err
    assert "Fidelity: 1 of 18 test samples of each of 2 runs, " in message
    assert pd.read_csv(tmp_path / "scores.csv").groupby("run")["filename"].nunique().tolist() == [
        1,
        1,
    ]
    load_plugin("Fidelity", settings | {"minutes": None}).run(runs, tmp_path)
    assert "Fidelity: 18 of 18 test samples" in capsys.readouterr().err
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores.groupby("run")["filename"].nunique().tolist() == [18, 18]
    assert scores.columns[:4].tolist() == ["run", "model", "criterion", "seed"]


def test_missing_front_end_needs_a_baseline(runs, tmp_path):
    with pytest.raises(
        ValueError, match=f"'{runs[0].name}' saved no complete front end; set baseline"
    ):
        load_plugin("Fidelity", SETTINGS | {"baseline": None}).run(runs, tmp_path)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"explainers": ["magic"]}, "Unknown explainer 'magic'"),
        ({"masks": ["best"]}, "Unknown mask 'best'"),
        ({"max_samples": 0}, "Argument 'max_samples' must be at least 1, got 0"),
        ({"minutes": 0}, "Argument 'minutes' must be positive, got 0"),
        ({"batch_size": 0}, "Argument 'batch_size' must be positive, got 0"),
    ],
)
def test_wrong_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        load_plugin("Fidelity", SETTINGS | setting)
