import hashlib
import shutil
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundata
import soundfile

from autrainer_ext.datasets import TAUUrbanAcousticScenes2022Mobile
from autrainer_ext.datasets.tau_urban_2022 import TREE, hold_out_locations, nested_subset

PARTITIONS = Path(__file__).parents[2] / ".." / "shared" / "data" / "tau22_partitions"
SCENES, CITIES = ["bus", "park", "street_traffic"], ["lyon", "paris"]


@pytest.fixture
def make(make_dataset):
    return partial(
        make_dataset, TAUUrbanAcousticScenes2022Mobile, target_column="scene", stratify=["device"]
    )


def clip_names(devices, locations):
    return [
        f"audio/{scene}-{city}-{location}-{10 * location + recording}-{second}-{device}.wav"
        for scene, city, location in product(SCENES, CITIES, locations)
        for recording, second, device in product(range(2), range(3), devices)
    ]


def write_tree(tree, train, test):
    """Clips in the layout of the unpacked archives; one more than the setup uses."""
    (tree / "audio").mkdir(parents=True)
    (tree / "evaluation_setup").mkdir()
    silence = tree / "audio" / "park-lyon-0-0-0-a.wav"
    soundfile.write(silence, np.zeros(8), 44_100)
    for name in {*train, *test}:
        (tree / name).hardlink_to(silence)
    for setup, names in (("train", train), ("evaluate", test)):
        scenes = [Path(name).name.split("-")[0] for name in names]
        table = pd.DataFrame({"filename": names, "scene_label": scenes})
        table.to_csv(tree / "evaluation_setup" / f"fold1_{setup}.csv", sep="\t", index=False)
    return tree


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    train, test = clip_names(["a", "s1"], range(1, 6)), clip_names(["a", "s4"], range(6, 8))
    tree = write_tree(path / "source", train, test)
    TAUUrbanAcousticScenes2022Mobile.download(str(path / "TAU22"), str(tree))
    return path / "TAU22"


def test_table_holds_what_the_names_say(root):
    table = pd.read_csv(root / "tau22.csv")
    assert len(table) == 360 + 144
    assert table.loc[1].to_dict() == {
        "filename": "audio/bus-lyon-1-10-0-s1.wav",
        "scene": "bus",
        "device": "s1",
        "city": "lyon",
        "location": 1,
        "segment": "10-0",
        "split": "train",
    }


def test_recordings_are_linked(root):
    name = "audio/bus-lyon-1-10-0-s1.wav"
    assert (root / "default" / name).samefile(root.parent / "source" / name)


def test_development_holds_out_whole_locations_of_every_scene(make, root):
    data = make(root, dev_share=0.2)
    train, dev = data.df_train, data.df_dev
    assert len(train) + len(dev) == 360
    assert set(dev["scene"]) == set(SCENES)
    places = [set(zip(df.scene, df.city, df.location, strict=True)) for df in (train, dev)]
    assert not places[0] & places[1]
    assert dev["scene"].value_counts().tolist() == [24] * 3  # 20 % of 120, two locations of 12
    assert set(data.df_test["location"]) == {6, 7}


def test_official_test_set_develops_only_on_request(make, root):
    data = make(root, dev_share=0)
    assert data.df_dev.equals(data.df_test)
    assert len(data.df_train) == 360


def test_splits_depend_on_their_own_seed_only(make, root):
    first, again, other = (
        make(root, dev_share=0.2, train_percent=50, seed=seed, split_seed=split_seed)
        for seed, split_seed in ((1, 0), (2, 0), (1, 1))
    )
    assert first.df_train.equals(again.df_train)
    assert first.df_dev.equals(again.df_dev)
    assert not first.df_dev.equals(other.df_dev)


def test_smaller_training_sets_are_part_of_larger_ones(make, root):
    sets = [make(root, train_percent=percent).df_train for percent in (5, 10, 25, 50, 100)]
    for smaller, larger in pairwise(sets):
        assert set(smaller["filename"]) < set(larger["filename"])
    full, half = sets[-1], sets[-2]
    shares = full.groupby(["scene", "device"]).size() / 2
    assert half.groupby(["scene", "device"]).size().equals(np.ceil(shares).astype(int))
    assert all(sets[0].equals(make(root, train_percent=5).df_train) for _ in range(2))


def test_smallest_subset_keeps_every_scene_and_device():
    table = pd.DataFrame({"scene": list("aaab"), "device": list("xxyx"), "clip": range(4)})
    assert set(nested_subset(table, 0.01, 0)["clip"]) >= {2, 3}
    assert nested_subset(table, 1.0, 0).equals(table)


def test_scene_with_one_location_cannot_be_held_out():
    table = pd.DataFrame({"scene": ["bus"] * 4, "city": "lyon", "location": 1})
    with pytest.raises(ValueError, match="Scene 'bus' has too few locations to hold out 10%"):
        hold_out_locations(table, 0.1, 0)


def write_clips(path, names, separator=",", **columns):
    pd.DataFrame({"filename": names, **columns}).to_csv(path, sep=separator, index=False)
    return str(path)


def test_list_of_the_challenge_chooses_the_training_clips(make, root, tmp_path):
    names = pd.read_csv(root / "tau22.csv").query("split == 'train'")["filename"][::3]
    clips = write_clips(tmp_path / "split.csv", names, "\t", scene_label="x")
    data = make(root, train_clips=clips)
    assert {*data.df_train["filename"], *data.df_dev["filename"]} == set(names)
    assert set(data.df_train["scene"]) == set(SCENES)


def test_folds_of_a_partition_become_splits(make, root, tmp_path):
    names = pd.read_csv(root / "tau22.csv")["filename"]
    train = write_clips(tmp_path / "a.csv", names[::2][::-1], fold=[0, 1, 2] * 84)
    test = write_clips(tmp_path / "b.csv", names[1::2])
    data = make(root, train_clips=train, dev_fold=2, test_clips=test)
    expected = pd.read_csv(train).query("fold == 2")["filename"].tolist()
    assert data.df_dev["filename"].tolist() == expected
    assert len(data.df_train) == 168
    assert data.df_test["filename"].tolist() == names[1::2].tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_percent": 0}, r"Argument 'train_percent' must be in \(0, 100\], got 0"),
        ({"dev_share": 1}, r"Argument 'dev_share' must be in \[0, 1\), got 1"),
        ({"dev_fold": 1}, "Argument 'dev_fold' requires 'train_clips'"),
        ({"train_clips": "none.csv"}, r"none\.csv"),
        (
            {"train_clips": "empty.csv"},
            r"Unknown column 'filename' in 'empty\.csv'\..* Choose from: name\.",
        ),
        ({"train_clips": "unknown.csv"}, "1 clips of 'unknown.csv' are not in tau22.csv, .*-z.wav"),
        ({"test_clips": "all.csv"}, r"\d+ clips are in both .* split, such as 'audio/bus-"),
        ({"train_clips": "all.csv", "dev_fold": 1}, r"Unknown column 'fold' in 'all\.csv'"),
        (
            {"train_clips": "fold.csv", "dev_fold": 7},
            r"Unknown fold '7' in 'fold\.csv'\. Choose from: 0, 1\.",
        ),
    ],
)
def test_impossible_splits_are_rejected(make, root, tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    names = pd.read_csv(root / "tau22.csv")["filename"]
    Path("empty.csv").write_text("name\n")
    write_clips("unknown.csv", [*names[:5], "audio/bus-lyon-1-10-0-z.wav"])
    write_clips("all.csv", names)
    write_clips("fold.csv", names[:40], fold=[0, 1] * 20)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        make(root, **changes)


def test_missing_table_leaves_nothing_behind(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(FileNotFoundError, match=r"fold1_train\.csv"):
        TAUUrbanAcousticScenes2022Mobile.download(str(tmp_path / "TAU22"), str(tmp_path / "source"))
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


def test_download_unpacks_the_archives_of_soundata(make, tmp_path, monkeypatch):
    names = clip_names(["a"], range(1, 3))
    tree = write_tree(tmp_path / "made" / TREE, names, clip_names(["a"], [3]))
    remotes = soundata.initialize("tau2022uas_mobile").remotes
    for key in [key for key in remotes if key.startswith("development.audio")][1:]:
        monkeypatch.delitem(remotes, key)
    for key, part in (("development.audio.1", "audio"), ("development.meta", "evaluation_setup")):
        archive = shutil.make_archive(
            tmp_path / part, "zip", tree.parent, tree.relative_to(tree.parent) / part
        )
        monkeypatch.setattr(remotes[key], "url", Path(archive).as_uri())
        checksum = hashlib.md5(Path(archive).read_bytes()).hexdigest()
        monkeypatch.setattr(remotes[key], "checksum", checksum)
    TAUUrbanAcousticScenes2022Mobile.download(str(tmp_path / "data" / "TAU22"))
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["TAU22"]
    assert len(make(tmp_path / "data" / "TAU22", dev_share=0.4).df_test) == len(names) // 2


@pytest.mark.skipif(not PARTITIONS.is_dir(), reason="needs ../shared/data/tau22_partitions")
def test_published_partition_has_the_published_counts(make, tmp_path):
    files = [
        PARTITIONS / f"{name}.csv"
        for name in (
            "unbalanced_reduced_train_partition",
            "test1_opposite_distribution",
            "test2_uniform_distribution",
        )
    ]
    train, *tests = (pd.read_csv(file)["filename"].tolist() for file in files)
    tree = write_tree(tmp_path / "source", train, sorted({*tests[0], *tests[1]}))
    TAUUrbanAcousticScenes2022Mobile.download(str(tmp_path / "TAU22"), str(tree))
    for test, count in zip(files[1:], (1628, 888), strict=True):
        data = make(tmp_path / "TAU22", train_clips=str(files[0]), dev_fold=1, test_clips=str(test))
        assert len(data.df_test) == count
        assert len(data.df_train) + len(data.df_dev) == 17_616
        assert len(data.df_dev) in (3523, 3524)
        counts = pd.concat([data.df_train, data.df_dev])["scene"].value_counts()
        assert (counts["airport"], counts["tram"], len(counts)) == (3324, 206, 10)
    assert set(data.df_train["device"]) == {"a", "b", "c", "s1", "s2", "s3"}
    assert {"s4", "s5", "s6"} < set(data.df_test["device"])
