import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import log_softmax

from autrainer_ext.intervals import crossed_mean_interval, share_interval
from autrainer_ext.runs import read_run
from autrainer_ext_plugins.plugin import load_plugin, suitable_runs

SCENES = ["bus", "park", "tram"]


def write_run(
    folder, name, *, seed=0, seen=("a", "b"), tested=("a", "b", "c"), run_seed=None, **columns
):
    """A run with the files the plugin reads: 3 scenes x devices x 10 moments, in random order."""
    path = folder / name
    for part in (".hydra", "_metadata", "_test"):
        (path / part).mkdir(parents=True)
    config = {"dataset": {"target_column": "scene", "index_column": "filename"}}
    config |= {} if run_seed is None else {"seed": run_seed}
    (path / ".hydra/config.yaml").write_text(yaml.safe_dump(config))
    labels = {"$autrainer.LabelEncoder==0.4.0": {"labels": SCENES}}
    (path / "target_transform.yaml").write_text(yaml.safe_dump(labels))
    for split, devices in (("train", seen), ("test", tested)):
        grid = [(s, d, m) for s in range(3) for m in range(10) for d in devices]
        targets, device, moment = map(np.array, zip(*grid, strict=True))
        table = pd.DataFrame({"scene": np.array(SCENES)[targets], "device": device})
        table["filename"] = [
            f"{t}-{m}-{d}.wav" for t, m, d in zip(targets, moment, device, strict=True)
        ]
        table["moment"] = [f"{t}-{m}" for t, m in zip(targets, moment, strict=True)]
        table.assign(**columns).to_csv(path / f"_metadata/{split}.csv", index=False)
    rng = np.random.default_rng(seed)
    outputs = rng.normal(size=(len(targets), 3)).astype(np.float32)
    outputs[np.arange(len(targets)), targets] += 1.5
    order = rng.permutation(len(targets))
    arrays = {"outputs": outputs[order], "targets": targets[order], "indices": order}
    for kind, array in arrays.items():
        np.save(path / f"_test/test_{kind}.npy", array)
    return read_run(path), outputs, targets, device


def analyse(folder, runs, **settings):
    (folder / "devices").mkdir()
    load_plugin("Devices", settings).run(runs, folder / "devices")
    return (pd.read_csv(folder / f"devices/{name}.csv") for name in ("devices", "task1"))


def analyse_first(folder, runs, **settings):
    return next(analyse(folder, runs, **settings))


def test_scores_are_those_of_the_samples_of_each_device(tmp_path):
    run, outputs, targets, device = write_run(tmp_path, "run")
    table, _ = analyse(tmp_path, [run])
    assert table["run"].tolist() == ["run"] * 6
    assert table["device"].fillna("").tolist() == ["a", "b", "c", "", "", ""]
    assert table["group"].tolist() == ["seen", "seen", "unseen", "seen", "unseen", "all"]
    assert table["n_samples"].tolist() == [30, 30, 30, 60, 30, 90]
    correct = outputs.argmax(axis=1) == targets
    losses = -log_softmax(outputs.astype(float), axis=1)[np.arange(90), targets]
    parts = [device == d for d in "abc"] + [np.isin(device, ["a", "b"]), device == "c", device > ""]
    for mask, (_, row) in zip(parts, table.iterrows(), strict=True):
        assert row["accuracy"] == pytest.approx(correct[mask].mean())
        assert row["log_loss"] == pytest.approx(losses[mask].mean(), rel=1e-6)
        low, high = share_interval(correct[mask].astype(float))
        assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((low, high))
        assert row["log_loss_low"] < row["log_loss"] < row["log_loss_high"]
        joint = np.zeros((3, 3))
        np.add.at(joint, (targets[mask], outputs.argmax(axis=1)[mask]), 1 / mask.sum())
        given = -np.sum(joint * np.log2(np.where(joint > 0, joint / joint.sum(axis=0), 1)))
        assert row["ema"] == pytest.approx(2**-given)
        assert np.isnan(row["ema_low"]) == (mask.sum() < row["ema_needed"]) == (mask.sum() < 50)
        if mask.sum() >= 50:
            assert row["ema_low"] <= row["ema_corrected"] <= row["ema_high"]


def test_layout_of_task_1_has_classes_in_rows_and_devices_in_columns(tmp_path):
    run, outputs, targets, device = write_run(tmp_path, "run")
    _, table = analyse(tmp_path, [run])
    overall = pd.read_csv(tmp_path / "devices/task1_overall.csv").loc[0]
    assert table["class"].tolist() == [*SCENES]
    losses = -log_softmax(outputs.astype(float), axis=1)[np.arange(90), targets]
    correct = outputs.argmax(axis=1) == targets
    table = table.set_index("class")
    assert overall["log_loss_b"] == pytest.approx(losses[device == "b"].mean(), rel=1e-6)
    park = (device == "c") & (targets == 1)
    assert table.loc["park", "accuracy_c"] == pytest.approx(correct[park].mean())
    assert table.loc["tram", "accuracy"] == pytest.approx(correct[targets == 2].mean())
    # equally many samples: averages over classes and over devices are those over samples
    per_device = table[[f"accuracy_{d}" for d in "abc"]]
    np.testing.assert_allclose(per_device.mean(axis=1), table["accuracy"])
    everything = overall[[f"accuracy_{d}" for d in "abc"]].astype(float)
    np.testing.assert_allclose(per_device.mean(), everything)


def test_intervals_over_groups_resample_what_was_recorded_at_once(tmp_path):
    run, outputs, targets, _ = write_run(tmp_path, "run")
    table, _ = analyse(tmp_path, [run], group="moment")
    correct = (outputs.argmax(axis=1) == targets).astype(float)
    row = table.iloc[-1]
    low, high = share_interval(correct, np.repeat(np.arange(30), 3))  # moments by devices
    assert row["accuracy"] == pytest.approx(correct.mean())
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((low, high))


def test_groups_are_those_the_run_was_configured_with(tmp_path):
    run, *_ = write_run(tmp_path, "run")
    named, _ = analyse(tmp_path, [run], group="moment")
    configured = replace(run, config=run.config | {"parallel_group": ["scene", "moment"]})
    (tmp_path / "devices").rename(tmp_path / "before")
    assert analyse_first(tmp_path, [configured]).equals(named)


def test_samples_of_unknown_group_are_groups_of_their_own(tmp_path):
    run, *_ = write_run(tmp_path, "run", empty=None)
    alone, _ = analyse(tmp_path, [run], group="empty")
    (tmp_path / "devices").rename(tmp_path / "before")
    pd.testing.assert_frame_equal(analyse_first(tmp_path, [run]), alone)


def test_differences_are_paired_over_seeds_and_recordings(tmp_path):
    written = {
        (name, seed): write_run(tmp_path, f"{name}_{seed}", seed=10 * seed + k, run_seed=seed)
        for k, name in enumerate(("plain", "siamese"))
        for seed in (1, 2, 3)
    }
    analyse(tmp_path, [run for run, *_ in written.values()], group="moment")
    table = pd.read_csv(tmp_path / "devices/differences.csv")
    assert table["score"].tolist() == ["log_loss", "accuracy"] * 3
    assert table["group"].tolist() == ["seen"] * 2 + ["unseen"] * 2 + ["all"] * 2
    assert (table[["first", "second"]] == ["plain", "siamese"]).all(axis=None)
    assert (table["n_seeds"] == 3).all()
    correct = {
        key: (outputs.argmax(axis=1) == targets).astype(float)
        for key, (_, outputs, targets, _) in written.items()
    }
    differences = np.stack([correct["plain", s] - correct["siamese", s] for s in (1, 2, 3)])
    per_moment = differences.reshape(3, 30, 3)  # seeds by moments by devices
    for group, devices in (("seen", [0, 1]), ("unseen", [2]), ("all", [0, 1, 2])):
        chosen = table[(table["group"] == group) & (table["score"] == "accuracy")].iloc[0]
        expected = per_moment[..., devices].mean(axis=-1)
        assert chosen["difference"] == pytest.approx(expected.mean())
        assert (chosen["low"], chosen["high"]) == pytest.approx(crossed_mean_interval(expected))


def test_conditions_without_a_common_seed_or_common_recordings_are_not_compared(tmp_path):
    runs = [
        write_run(tmp_path, "a_1", run_seed=1)[0],
        write_run(tmp_path, "b_2", run_seed=2)[0],
        write_run(tmp_path, "c_1", run_seed=1, tested=("b", "c", "d"))[0],
        write_run(tmp_path, "d_1", run_seed=1, seed=5)[0],
        write_run(tmp_path, "d_2", run_seed=2, seed=6)[0],
    ]
    analyse(tmp_path, runs)
    table = pd.read_csv(tmp_path / "devices/differences.csv")
    pairs = table[["first", "second", "n_seeds"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["a", "d", 1], ["b", "d", 1]]


def test_run_without_tables_is_named_with_the_remedy(tmp_path):
    run, *_ = write_run(tmp_path, "run")
    shutil.rmtree(run.path / "_metadata")
    with pytest.raises(
        ValueError, match="Run 'run' saved no tables .*CleanOutputs, or set rebuild"
    ):
        analyse_first(tmp_path, [run])


def test_all_devices_seen_or_only_one_leaves_the_unseen_out(tmp_path):
    runs = [
        write_run(tmp_path, "x_1", tested=("a",))[0],
        write_run(tmp_path, "x_2", tested=("b", "a"))[0],
    ]
    table, _ = analyse(tmp_path, runs)
    groups = table.groupby("run")["group"].agg(list)
    assert groups["x_1"] == ["seen", "seen", "all"]
    assert groups["x_2"] == ["seen", "seen", "seen", "all"]
    assert (tmp_path / "devices/devices.png").stat().st_size > 0


def test_runs_may_have_seen_different_devices(tmp_path):
    runs = [write_run(tmp_path, f"held-{d}_1", seen=[s for s in "abc" if s != d])[0] for d in "abc"]
    table, _ = analyse(tmp_path, runs)
    unseen = table[(table["group"] == "unseen") & table["device"].notna()]
    assert dict(zip(unseen["run"], unseen["device"], strict=True)) == {
        f"held-{d}_1": d for d in "abc"
    }
    assert sorted(p.name for p in (tmp_path / "devices").iterdir()) == [
        "devices.csv",
        "devices.png",
        "devices.svg",
        "differences.csv",
        "task1.csv",
        "task1_overall.csv",
    ]


def test_names_of_devices_may_be_numbers(tmp_path):
    run, *_ = write_run(tmp_path, "run", seen=(1, 2), tested=(1, 2, 3))
    table, _ = analyse(tmp_path, [run])
    assert table["group"].tolist()[:3] == ["seen", "seen", "unseen"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"column": "phone"},
            "The tables of 'run' have no column 'phone': set column .* of scene, device",
        ),
        (
            {"group": ["moment", "hour"]},
            "Unknown column 'hour' in the tables of 'run'.* Choose from: ",
        ),
        ({"column": "empty"}, "Column 'empty' is empty for 90 test samples of run 'run'"),
    ],
)
def test_bad_columns_are_named_and_nothing_is_written(tmp_path, settings, message):
    run, *_ = write_run(tmp_path, "run", empty=None)
    (tmp_path / "devices").mkdir()
    with pytest.raises(ValueError, match=message):
        load_plugin("Devices", settings).run([run], tmp_path / "devices")
    assert not list((tmp_path / "devices").iterdir())


def test_column_must_be_a_name():
    with pytest.raises(ValueError, match="must be the name of a column, got 3"):
        load_plugin("Devices", {"column": 3})


def test_another_column_does_not_replace_the_tables_of_devices(tmp_path):
    run, *_ = write_run(tmp_path, "run")
    by_device = analyse_first(tmp_path, [run])
    load_plugin("Devices", {"column": "scene"}).run([run], tmp_path / "devices")
    own = pd.read_csv(tmp_path / "devices/scene/devices.csv")
    assert own["scene"].dropna().tolist() == SCENES
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "devices/devices.csv"), by_device)


def test_only_classes_have_results_per_device(tmp_path):
    run, *_ = write_run(tmp_path, "run")
    scaler = "$autrainer.datasets.utils.MinMaxScaler==0.4.0:\n  target: loudness\n  minimum: 0.0\n"
    (run.path / "target_transform.yaml").write_text(scaler)
    with pytest.raises(ValueError, match="'run' is a run of regression: .* classification only"):
        suitable_runs(load_plugin("Devices"), [run])
