import importlib.util

import numpy as np
import pandas as pd
import pytest

from autrainer_ext.latent import diagram_distances, summarise_diagram
from autrainer_ext.runs import find_runs, read_metadata
from autrainer_ext_plugins.plugin import load_plugin

LAYERS = ["stem.0", "stem.1", "stages.0", "stages.1", "stages.2", "head"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"points": 3}, "Argument 'points' must be at least 4, got 3"),
        ({"persistence_points": 1}, "Argument 'persistence_points' must be at least 4, got 1"),
        ({"methods": ["pca"]}, "Unknown projection 'pca'. Choose from: tsne, isomap, umap"),
        ({"layers": ["a"], "drawn": ["b"]}, "Unknown layer to draw 'b'. .*Choose from: a"),
    ],
)
def test_impossible_settings_are_rejected(settings, message):
    with pytest.raises(ValueError, match=message):
        load_plugin("LatentSpace", settings)


@pytest.mark.skipif(importlib.util.find_spec("umap") is not None, reason="umap is installed")
def test_missing_umap_is_told_before_any_work():
    with pytest.raises(ValueError, match="'umap' needs umap-learn: pip install"):
        load_plugin("LatentSpace", {"methods": ["umap"]})


@pytest.fixture(scope="module")
def analysed(tiny, tmp_path_factory):
    """Runs, and what the plugin writes about 12 of their 18 test samples."""
    folder = tmp_path_factory.mktemp("latent")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tiny)
        runs = find_runs(tiny / "results", "clean")
        settings = {"points": 12, "colors": ["filename", "city"]}
        load_plugin("LatentSpace", settings).run(runs, folder)
    return runs, folder


@pytest.mark.slow
def test_every_score_of_every_layer_is_there(analysed):
    runs, folder = analysed
    table = pd.read_csv(folder / "separability.csv")
    for run in runs:
        of_run = table[table["run"] == run.name]
        assert list(dict.fromkeys(of_run["layer"])) == LAYERS
        assert (of_run.groupby("layer")["score"].nunique() == 5).all()
    accuracies = table[~table["score"].str.contains("silhouette")]
    known = accuracies.dropna(subset="value")
    assert known["value"].between(0, 1).all()
    assert (known["low"] <= known["value"]).all()
    assert (known["value"] <= known["high"]).all()
    assert table.loc[table["score"] == "class_probe", "chance"].unique() == pytest.approx([1 / 3])
    assert table.loc[table["score"] == "device_probe", "chance"].unique() == [0.5]


@pytest.mark.slow
def test_coordinates_belong_to_the_samples_drawn(analysed):
    runs, folder = analysed
    test = read_metadata(runs[0], "test")
    for run in runs:
        table = pd.read_csv(folder / "coordinates" / f"{run.name}_stages.2.csv")
        assert len(table) == table["index"].nunique() == 12
        assert table["filename"].tolist() == test["filename"].iloc[table["index"]].tolist()
        assert table["class"].tolist() == test["scene"].iloc[table["index"]].tolist()
        assert table["device"].tolist() == test["device"].iloc[table["index"]].tolist()
        assert np.isfinite(table[["tsne_x", "tsne_y", "isomap_x", "isomap_y"]]).all(axis=None)
        assert "city" not in table
    assert (folder / f"map_{runs[0].name}_stages.2.png").is_file()
    assert (folder / "layers_CPMobile-5k.svg").is_file()


@pytest.mark.slow
def test_summaries_and_distances_are_those_of_the_saved_diagrams(analysed):
    runs, folder = analysed
    diagrams = pd.read_csv(folder / "diagrams.csv").set_index(["run", "layer", "dimension"])
    summaries = pd.read_csv(folder / "persistence.csv")
    assert len(summaries) == 2 * len(LAYERS) * len(runs)
    for _, row in summaries.iterrows():
        if row["n_features"]:
            key = (row["run"], row["layer"], row["dimension"])
            found = summarise_diagram(diagrams.loc[[key], ["birth", "death"]].to_numpy())
            assert row["longest"] == pytest.approx(found.longest, rel=1e-6)
    distances = pd.read_csv(folder / "diagram_distances.csv")
    (row,) = distances[distances["dimension"] == "clusters"].to_dict("records")
    pair = [
        diagrams.loc[[(run.name, "stages.2", "clusters")], ["birth", "death"]].to_numpy()
        for run in runs
    ]
    assert (row["bottleneck"], row["wasserstein"]) == pytest.approx(
        diagram_distances(*pair), rel=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": ["neck"]}, "Unknown layer 'neck'. .*Choose from: stem"),
        ({"group": "phone"}, "Unknown column 'phone' in .*Choose from: filename, scene, device"),
        ({"checkpoint": "epoch_9"}, "cannot be loaded: .*epoch_9"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(
    analysed, tiny, tmp_path, monkeypatch, settings, message
):
    monkeypatch.chdir(tiny)
    with pytest.raises(ValueError, match=message):
        load_plugin("LatentSpace", settings).run(analysed[0], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_without_maps_there_are_the_numbers(tiny, tmp_path, monkeypatch, three_shards):
    """And the same ones from shards."""
    monkeypatch.chdir(tiny)
    runs = find_runs(tiny / "results", "clean")
    settings = {"layers": ["stages.2"], "methods": [], "points": 12}
    plugin = load_plugin("LatentSpace", settings)
    plugin.run(runs, tmp_path)
    plugin.shards = three_shards
    (tmp_path / "divided").mkdir()
    plugin.run(runs, tmp_path / "divided")
    assert len(list(three_shards.folder.glob("results/*"))) == len(runs)
    for path in tmp_path.glob("*.csv"):
        assert (tmp_path / "divided" / path.name).read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob("map_*"))
    assert len(pd.read_csv(tmp_path / "separability.csv")) == 5 * len(runs)
    assert pd.read_csv(tmp_path / "separability_differences.csv").empty  # a single condition


@pytest.mark.slow
def test_without_devices_there_are_the_scores_of_classes(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny)
    runs = find_runs(tiny / "results", "clean")
    settings = {"layers": ["stages.2"], "methods": [], "points": 12, "column": "phone"}
    load_plugin("LatentSpace", settings).run(runs, tmp_path)
    scores = pd.read_csv(tmp_path / "phone/separability.csv")
    assert set(scores["score"]) == {"class_probe", "class_silhouette"}
    assert scores.columns[:4].tolist() == ["run", "model", "criterion", "seed"]
