from pathlib import Path

import autrainer
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml

from autrainer_ext.models import CPMobile
from autrainer_ext.runs import read_run
from autrainer_ext.serving.model_directory import write_model_directory
from autrainer_ext_plugins.adaptation.plugin import KEY
from autrainer_ext_plugins.adaptation.scores import shared_cells
from autrainer_ext_plugins.plugin import load_plugin

CLASSES = ["high", "low", "noise"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run directory and its recordings, with a network that learnt them through the front end."""
    folder = tmp_path_factory.mktemp("adaptation")
    configurations = Path(autrainer.__file__).parents[1] / "autrainer-configurations"
    front_end = configurations / "preprocessing/log_mel_16k.yaml"
    torch.manual_seed(0)
    network = CPMobile(3, base_channels=8, n_blocks=[1, 1], strides=[[1, 1], [2, 2]])
    write_model_directory(folder / "draft", network, CLASSES, front_end)

    rng = np.random.default_rng(0)
    audio = folder / "data/default"
    audio.mkdir(parents=True)
    rows = []
    for index in range(30):
        label = CLASSES[index % 3]
        time = np.arange(8000) / 16000
        tone = np.sin(2 * np.pi * {"high": 3000, "low": 300, "noise": 0}[label] * time)
        soundfile.write(audio / f"{index:02}.wav", 0.2 * tone + rng.normal(0, 0.05, 8000), 16000)
        rows.append((f"{index:02}.wav", label, "ab"[index // 15]))
    table = pd.DataFrame(rows, columns=["filename", "label", "device"])

    from autrainer_ext.serving.features import FeatureReader

    read = FeatureReader(model_path=str(folder / "draft")).read(audio, table["filename"])
    targets = torch.tensor([CLASSES.index(label) for label in table["label"]])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    network.train()
    for _ in range(25):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(read.features), targets).backward()
        optimizer.step()
    with torch.no_grad():
        for _ in range(30):  # until the running statistics have caught up
            network(read.features)
    run = folder / "results/exp/training/Tones_1"
    write_model_directory(run, network.eval(), CLASSES, front_end)
    (run / ".hydra").mkdir()
    dataset = {"path": str(folder / "data"), "index_column": "filename", "target_column": "label"}
    (run / ".hydra/config.yaml").write_text(yaml.safe_dump({"dataset": dataset}))
    (run / "_metadata").mkdir()
    table.to_csv(run / "_metadata/test.csv", index=False)
    (run / "metrics.csv").write_text("iteration\n")
    return read_run(run)


SETTINGS = {
    "methods": ["source", {"tent": {"learning_rate": 0.01}}, "ntta"],
    "protocols": [
        {"batch_size": 10},
        {"batch_size": 10, "order": "class_correlated"},
        {"batch_size": 10, "mode": "offline", "passes": 2},
    ],
    "corruptions": ["white_noise"],
    "severities": [2, 5],
    "seeds": [4],
}


def load(**settings):
    """Plugin with the settings of these tests, some of them replaced."""
    return load_plugin("Adaptation", SETTINGS | settings)


@pytest.fixture(scope="module")
def results(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    load().run([trained], folder)
    return folder


def test_a_row_for_every_cell(results):
    table = pd.read_csv(results / "results.csv")
    assert len(table) == 3 * 3 * 2
    assert not table.duplicated(KEY).any()
    assert set(table["method"]) == {"source", "tent learning_rate=0.01", "ntta"}
    assert set(table["protocol"]) == {"online-before", "offline-2-last"}
    expected = [
        *KEY, "accuracy_before", "accuracy_after", "gain", "balanced_accuracy_after", "ece_before",
        "ece_after", "clean_accuracy_after", "collapsed", "seconds_per_sample",
    ]  # fmt: skip
    assert set(expected) <= set(table)
    assert "oracle_accuracy_after" not in table


def test_numbers_belong_together(results):
    table = pd.read_csv(results / "results.csv")
    assert np.allclose(table["gain"], table["accuracy_after"] - table["accuracy_before"])
    for name in ("accuracy_before", "accuracy_after", "gain"):
        low, mean, high = table[f"{name}_low"], table[name], table[f"{name}_high"]
        assert ((low <= mean + 1e-9) & (mean <= high + 1e-9)).all()
    source = table[table["method"] == "source"]
    assert (source["gain"] == 0).all()
    assert (source["clean_accuracy_after"] > 0.9).all()
    assert np.allclose(table.groupby("severity")["accuracy_before"].std(), 0)
    # classes are even, so both accuracies are one
    assert np.allclose(table["accuracy_after"], table["balanced_accuracy_after"])
    steps = table[["n_adapted", "n_held", "n_reset", "n_skipped"]].sum(axis=1)
    assert (steps == np.where(table["protocol"] == "online-before", 3, 6)).all()


def test_same_seed_same_table_and_rows_are_not_computed_again(
    trained, results, tmp_path, three_shards
):
    """The second table is computed in shards."""
    plugin = load()
    plugin.shards = three_shards
    plugin.run([trained], tmp_path)
    assert len(list(three_shards.folder.glob("results/*"))) == 2  # cells
    for name in ("trajectories.csv", "recordings.csv"):
        assert (tmp_path / name).read_bytes() == (results / name).read_bytes()
    first, second = (
        pd.read_csv(folder / "results.csv").drop(columns="seconds_per_sample")
        for folder in (results, tmp_path)
    )
    pd.testing.assert_frame_equal(first, second)
    table = pd.read_csv(tmp_path / "results.csv")
    table.loc[0, "gain"] = 0.123
    table.iloc[:-1].to_csv(tmp_path / "results.csv", index=False)
    load().run([trained], tmp_path)
    again = pd.read_csv(tmp_path / "results.csv")
    assert len(again) == len(table)
    assert again.loc[0, "gain"] == 0.123
    assert again["accuracy_after"].tolist() == table["accuracy_after"].tolist()
    traces = pd.read_csv(tmp_path / "trajectories.csv")
    assert not traces.duplicated([*KEY, "step"]).any()


def test_summary_is_the_mean_over_cells(results):
    table, summary = (pd.read_csv(results / f"{name}.csv") for name in ("results", "summary"))
    assert len(summary) == 3 * 3
    for _, row in summary.iterrows():
        cells = table[
            (table["method"] == row["method"])
            & (table["protocol"] == row["protocol"])
            & (table["order"] == row["order"])
        ]
        assert row["n_cells"] == len(cells) == 2
        assert row["gain"] == pytest.approx(cells["gain"].mean(), abs=1e-7)
        assert row["worst_gain"] == pytest.approx(cells["gain"].min(), abs=1e-7)


def test_trajectories_end_at_the_predictions_that_count(results):
    traces = pd.read_csv(results / "trajectories.csv")
    assert traces.groupby(KEY)["step"].apply(list).apply(lambda s: s == [1, 2, 3]).all()
    shares = traces[["divergence", "mutual_information", "variation"]]
    assert np.allclose(shares.sum(axis=1), 1)


def test_figures_are_written(results):
    stems = {path.stem for path in results.glob("*.png")}
    orders = ("online-before_shuffled", "online-before_class_correlated", "offline-2-last_shuffled")
    assert stems == {f"{kind}_{o}" for kind in ("gain", "trajectories") for o in orders}
    assert {path.stem for path in results.glob("*.svg")} == stems


def test_oracle_has_a_column_of_its_own(trained, tmp_path):
    settings = {
        "methods": ["tent"], "severities": [5],
        "protocols": [{"mode": "offline", "passes": 3, "batch_size": 10}, {"batch_size": 10}],
    }  # fmt: skip
    load(**settings, oracle=True).run([trained], tmp_path)
    table = pd.read_csv(tmp_path / "results.csv").set_index("protocol")
    offline = table.loc["offline-3-last"]
    assert offline["oracle_accuracy_after"] >= offline["accuracy_after"]
    assert np.isnan(table.loc["online-before", "oracle_accuracy_after"])


def test_recordings_of_devices_come_one_after_the_other(trained, tmp_path):
    settings = {"methods": ["batch_norm"], "severities": [1]}
    settings["protocols"] = [{"order": "grouped", "batch_size": 15}]
    load(**settings, group_column="device").run([trained], tmp_path)
    assert pd.read_csv(tmp_path / "results.csv")["order"].tolist() == ["grouped"]
    with pytest.raises(ValueError, match="Unknown column 'city' in the test table of 'Tones_1'"):
        load(**settings, group_column="city").run([trained], tmp_path / "x")


def test_noises_and_responses_come_from_folders(trained, tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    soundfile.write(sounds / "hum.wav", np.sin(np.arange(44100) / 40), 44100)
    settings = {"methods": ["source"], "severities": [5]}
    settings |= {"corruptions": ["recorded_noise", "impulse_response"]}
    settings |= {"noises": str(sounds), "responses": str(sounds), "protocols": [{}]}
    load(**settings).run([trained], tmp_path)
    assert len(pd.read_csv(tmp_path / "results.csv")) == 2
    (sounds / "hum.wav").write_text("no audio")
    with pytest.raises(ValueError, match=r"hum.wav' cannot be read as audio"):
        load(**settings, seeds=[5]).run([trained], tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ["magic"]}, "Unknown adaptation method 'magic'. Choose from: source"),
        ({"methods": [{"tent": {}, "sar": {}}]}, "A method is a name or"),
        ({"corruptions": ["fog"]}, "Unknown corruption 'fog'. "),
        ({"corruptions": ["recorded_noise"]}, "needs a folder of noises: set noises"),
        ({"severities": [6]}, "'white_noise' has severities 1 to 5, got 6"),
        ({"protocols": [{"mode": "live"}]}, "Unknown mode 'live'. "),
        ({"protocols": [{"speed": 1}]}, "Invalid protocol .*speed"),
        (
            {"protocols": [{"order": "grouped"}]},
            "'grouped' needs a column of the test split: set group_column",
        ),
    ],
)
def test_wrong_settings_are_rejected_at_once(changes, message):
    with pytest.raises(ValueError, match=message):
        load(**changes)


def test_missing_recordings_are_named(trained, tmp_path):
    settings = {"audio": str(tmp_path / "nowhere")}
    with pytest.raises(
        ValueError, match=r"Folder '.*nowhere' with the recordings of 'Tones_1' does not"
    ):
        load(**settings).run([trained], tmp_path)
    (tmp_path / "empty").mkdir()
    settings = {"audio": str(tmp_path / "empty")}
    with pytest.raises(
        ValueError, match=r"Recording '.*00.wav' of 'Tones_1' cannot be used: vanished"
    ):
        load(**settings).run([trained], tmp_path)


def test_configuration_makes_the_plugin():
    plugin = load_plugin("Adaptation")
    assert [method.name for method in plugin.methods] == ["source", "batch_norm", "tent", "ntta"]


def test_methods_are_averaged_over_the_same_cells():
    cells = [("tent", "white_noise"), ("tent", "low_pass"), ("source", "low_pass")]
    rows = [
        {"method": method, "corruption": corruption, "protocol": "online", "order": "shuffled"}
        | {"run": "a", "severity": 1, "batch_size": 8, "seed": 1}
        for method, corruption in cells
    ]
    shared = shared_cells(pd.DataFrame(rows))
    assert shared["corruption"].tolist() == ["low_pass", "low_pass"]
    assert set(shared["method"]) == {"tent", "source"}
    assert shared_cells(pd.DataFrame([rows[0], rows[2]])).empty
