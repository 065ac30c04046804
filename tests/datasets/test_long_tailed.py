from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from omegaconf import OmegaConf

from autrainer_ext.compat import batch_sizes
from autrainer_ext.datasets import FSDD, LongTailedFSDD, PartitionedTAU22
from autrainer_ext.datasets.long_tailed import draw, falling_counts

CONF = Path(__file__).parents[2] / "conf" / "dataset"
SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "fsdd"
SPEAKERS = ["ann", "ben", "cid"]
DIGITS = ["0", "1", "2", "3"]
TAKES = 21


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    source = folder / "source"
    source.mkdir()
    for digit in DIGITS:
        for speaker in SPEAKERS:
            for take in range(TAKES):
                soundfile.write(source / f"{digit}_{speaker}_{take}.wav", np.zeros(8), 8000)
    LongTailedFSDD.download(str(folder / "fsdd"), str(source))
    return folder / "fsdd"


def make(root, cls=LongTailedFSDD, **changes):
    settings = {
        "path": str(root),
        "features_subdir": "default",
        "seed": 1,
        "metrics": ["autrainer.metrics.Accuracy"],
        "tracking_metric": "autrainer.metrics.Accuracy",
        "index_column": "filename",
        "target_column": "digit",
        "file_type": "wav",
        "file_handler": "autrainer.datasets.utils.AudioFileHandler",
        **batch_sizes(4, 4),
        "stratify": ["speaker", "opposite"],
        "test_speakers": ["cid"],
        "imbalance_ratio": 4,
    }
    if cls is FSDD:
        settings |= {"stratify": ["speaker"]}
        del settings["imbalance_ratio"]
    return cls(**settings | changes)


def counts(df):
    return df["digit"].value_counts().sort_index()


def opposite(data):
    return data.df_test[data.df_test["opposite"] == "yes"]


@pytest.mark.parametrize("seed", range(5))
def test_training_falls_and_the_opposite_rises(root, seed):
    data = make(root, split_seed=seed)
    # 2 speakers of 16 takes; 1 speaker of 21
    assert sorted(counts(data.df_train)) == [8, 16, 24, 32]
    assert sorted(counts(opposite(data))) == [5, 10, 16, 21]
    assert counts(data.df_train).rank().tolist() == (5 - counts(opposite(data)).rank()).tolist()


def test_counts_of_the_shipped_setting():
    assert falling_counts(128, 16, 10).tolist() == [128, 115, 101, 88, 75, 61, 48, 35, 21, 8]
    assert falling_counts(68, 1, 10).sum() == falling_counts(128, 16, 10).sum() == 680


def test_counts_are_at_least_one():
    assert falling_counts(3, 100, 3).tolist() == [3, 2, 1]
    assert falling_counts(5, 2, 1).tolist() == [5]


def test_test_and_development_are_those_of_the_whole_data_set(root):
    data, whole = make(root), make(root, FSDD)
    for split in ("df_dev", "df_test"):
        found = getattr(data, split).drop(columns="opposite")
        pd.testing.assert_frame_equal(found, getattr(whole, split))
    assert (counts(data.df_test) == TAKES).all()
    assert (data.df_dev["opposite"] == "no").all()


def test_training_is_part_of_the_whole_in_its_order(root):
    chosen, whole = make(root).df_train["filename"], make(root, FSDD).df_train["filename"]
    assert chosen.tolist() == [name for name in whole if name in set(chosen)]
    assert chosen.is_unique


def test_speakers_have_equal_shares(root):
    for seed in range(5):
        shares = make(root, split_seed=seed).df_train.groupby(["digit", "speaker"]).size()
        assert (shares.groupby("digit").agg(np.ptp) <= 1).all(), seed


def test_split_depends_on_its_own_seed_alone(root):
    first, again = make(root, split_seed=3), make(root, split_seed=3, seed=9)
    pd.testing.assert_frame_equal(first.df_train, again.df_train)
    pd.testing.assert_frame_equal(first.df_test, again.df_test)
    rarest = {counts(make(root, split_seed=seed).df_train).idxmin() for seed in range(20)}
    assert rarest == set(DIGITS)


def test_most_limits_the_most_frequent_digit(root):
    assert sorted(counts(make(root, most=12).df_train)) == [3, 6, 9, 12]


def test_ratio_of_one_is_balanced(root):
    data = make(root, imbalance_ratio=1, most=20)
    assert (counts(data.df_train) == 20).all()
    assert (data.df_test["opposite"] == "yes").all()


def test_smaller_draws_are_part_of_larger_ones(root):
    table = make(root, FSDD).df_train
    for seed in range(3):
        few, many = (draw(table, "digit", dict.fromkeys(DIGITS, n), seed) for n in (3, 8))
        assert set(few["filename"]) < set(many["filename"])
        assert len(many) == 8 * len(DIGITS)


def test_strata_are_evaluated_by_the_host(root):
    _, test, stratify, _ = make(root).get_evaluation_data()
    assert stratify == ["speaker", "opposite"]
    assert set(test["opposite"]) == {"yes", "no"}


def test_opposite_need_not_be_a_stratum(root):
    data = make(root, stratify=None)
    assert data.stratify == []
    assert len(opposite(data)) == 52


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"imbalance_ratio": 0.5}, "Argument 'imbalance_ratio' must be at least 1, got 0.5"),
        ({"most": 33}, "Argument 'most' must be in 1 to 32, got 33"),
        ({"most": 0}, "Argument 'most' must be in 1 to 32, got 0"),
        ({"test_speakers": ["dan"]}, "Unknown speaker 'dan'.* Choose from: ann, ben, cid"),
        ({"stratify": ["age"]}, "Unknown column 'age' in '.*'"),
    ],
)
def test_impossible_settings_are_rejected(root, settings, message):
    with pytest.raises(ValueError, match=message):
        make(root, **settings)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the recordings in ../shared/data/fsdd")
def test_real_recordings_reach_the_shipped_ratio(tmp_path):
    LongTailedFSDD.download(str(tmp_path / "fsdd"), str(SHARED))
    data = make(tmp_path / "fsdd", test_speakers=["jackson", "lucas"], imbalance_ratio=16, most=128)
    assert counts(data.df_train).max() / counts(data.df_train).min() == 16
    assert [len(df) for df in (data.df_train, data.df_dev, data.df_test)] == [680, 150, 1000]
    assert counts(opposite(data)).max() == 100
    assert counts(opposite(data)).min() == 6
    assert not set(data.df_train["speaker"]) & set(data.df_test["speaker"])


SCENES = ["bus", "park", "tram"]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Folder of a small TAU22 without sounds, and lists of its clips beside it."""
    folder = tmp_path_factory.mktemp("scenes")
    (folder / "tau22/default/audio").mkdir(parents=True)
    rows = []
    for scene in SCENES:
        for location in range(8):
            name = f"audio/{scene}-lyon-{location}-1-0-a.wav"
            (folder / "tau22/default" / name).touch()
            rows.append((name, scene, "a", "lyon", location, "1-0", "train"))
    columns = ["filename", "scene", "device", "city", "location", "segment", "split"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[table["location"] >= 5, "split"] = "test"
    table.to_csv(folder / "tau22/tau22.csv", index=False)
    train = table[table["split"] == "train"]
    train.assign(fold=train["location"] % 2).to_csv(folder / "train.csv", index=False)
    test = table[table["split"] == "test"]
    test[test["location"] < 7].to_csv(folder / "first.csv", index=False)
    last = test[test["location"] >= 6]
    pd.concat([last, last]).to_csv(folder / "last.csv", index=False)
    return folder


def make_scenes(scenes, **changes):
    settings = {
        "path": str(scenes / "tau22"),
        "features_subdir": "default",
        "seed": 1,
        "metrics": ["autrainer.metrics.Accuracy"],
        "tracking_metric": "autrainer.metrics.Accuracy",
        "index_column": "filename",
        "target_column": "scene",
        "file_type": "wav",
        "file_handler": "autrainer.datasets.utils.AudioFileHandler",
        **batch_sizes(4, 4),
        "stratify": ["device", "first", "last"],
        "train_clips": str(scenes / "train.csv"),
        "dev_fold": 0,
        "test_sets": {"first": str(scenes / "first.csv"), "last": str(scenes / "last.csv")},
    }
    return PartitionedTAU22(**settings | changes)


def test_lists_of_test_clips_become_columns(scenes):
    data = make_scenes(scenes)
    found = data.df_test.set_index(["scene", "location"])[["first", "last"]]
    expected = {5: ["yes", "no"], 6: ["yes", "yes"], 7: ["no", "yes"]}
    assert len(found) == 3 * len(SCENES)
    for (_, location), row in found.iterrows():
        assert row.tolist() == expected[location]


def test_lists_leave_training_and_development_alone(scenes):
    data = make_scenes(scenes)
    assert set(data.df_train["location"]) == {1, 3}
    assert set(data.df_dev["location"]) == {0, 2, 4}
    assert data.get_evaluation_data()[2] == ["device", "first", "last"]


def test_lists_are_needed(scenes):
    with pytest.raises(
        ValueError, match="Argument 'test_sets' must name at least one list of clips"
    ):
        make_scenes(scenes, test_sets={})


def test_missing_list_is_named(scenes):
    with pytest.raises(FileNotFoundError, match="nowhere.csv"):
        make_scenes(scenes, test_sets={"all": str(scenes / "nowhere.csv")}, stratify=["all"])


def test_published_partitions_fit_the_shipped_configuration(tmp_path, shared, monkeypatch):
    """Names of 20,039 real clips, without their sounds: 51 of the test clips are listed twice."""
    configuration = OmegaConf.load(CONF / "TAU22-longtailed.yaml")
    partitions = shared / "tau22_partitions"
    train, first, second = (
        pd.read_csv(partitions / Path(path).name)
        for path in (configuration.train_clips, *configuration.test_sets.values())
    )
    names = pd.concat([train, first, second])["filename"].drop_duplicates()
    stem = names.str.removeprefix("audio/").str.removesuffix(".wav")
    columns = ["scene", "city", "location", "recording", "second", "device"]
    table = stem.str.split("-", expand=True).set_axis(columns, axis=1).assign(filename=names)
    table["split"] = np.where(names.isin(train["filename"]), "train", "test")
    (tmp_path / "data/TAU22/cp_mobile_32k/audio").mkdir(parents=True)
    (tmp_path / "data/tau22_partitions").symlink_to(partitions.resolve())
    table.to_csv(tmp_path / "data/TAU22/tau22.csv", index=False)
    for name in names:
        (tmp_path / "data/TAU22/cp_mobile_32k" / name).with_suffix(".npy").touch()
    monkeypatch.chdir(tmp_path)
    settings = OmegaConf.to_container(configuration, resolve=False)
    for key in ("id", "_target_", "transform", "criterion"):
        del settings[key]
    data = PartitionedTAU22(**settings, seed=1, **batch_sizes(4, 4))
    assert [len(df) for df in (data.df_train, data.df_dev)] == [14092, 3524]
    in_test = data.df_test[["opposite", "uniform"]].eq("yes")
    assert in_test.sum().tolist() == [1585, 880]
    assert len(data.df_test) == 1585 + 880 - in_test.all(axis=1).sum() == 2423
    assert data.df_test["device"].nunique() == 9
