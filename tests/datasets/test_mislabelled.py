from functools import partial

import numpy as np
import pandas as pd
import pytest
import soundfile

from autrainer_ext.datasets import FSDD, MislabelledFSDD
from autrainer_ext.datasets.mislabelled import plant_mislabels


@pytest.fixture
def make(make_dataset):
    return partial(
        make_dataset, MislabelledFSDD, target_column="digit", test_speakers=["cid"], share=0.25
    )


@pytest.fixture
def root(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for digit in range(3):
        for speaker in ("ann", "cid"):
            for take in range(10):
                soundfile.write(source / f"{digit}_{speaker}_{take}.wav", np.zeros(8), 8000)
    FSDD.download(str(tmp_path / "fsdd"), str(source))
    return tmp_path / "fsdd"


def test_folds_hold_every_recording_once_with_the_same_labels(make, root):
    folds = [make(root, dev_fold=fold) for fold in range(5)]
    dev = pd.concat([data.df_dev for data in folds])
    assert sorted(dev["filename"]) == sorted(
        f"{d}_ann_{t}.wav" for d in range(3) for t in range(10)
    )
    assert (dev["digit"] != dev["true_label"]).sum() == round(0.25 * 30)
    assert (dev["true_label"] == dev["filename"].str[0]).all()
    labels = dev.set_index("filename")["digit"]
    for data in folds:
        assert not set(data.df_train["filename"]) & set(data.df_dev["filename"])
        train = data.df_train.set_index("filename")["digit"]
        assert train.equals(labels[train.index])
        assert (data.df_test["digit"] == data.df_test["true_label"]).all()
    other = pd.concat([make(root, label_seed=1).df_train, make(root, label_seed=1).df_dev])
    assert not other.set_index("filename")["digit"].sort_index().equals(labels.sort_index())


def test_similar_classes_replace_each_other_only(make, root):
    similar = {"0": "1", "1": "2", "2": "0"}
    train = make(root, similar=similar, share=0.5).df_train
    wrong = train[train["digit"] != train["true_label"]]
    assert len(wrong) > 5
    assert (wrong["digit"] == wrong["true_label"].map(similar)).all()


def test_uniform_mislabels_are_every_other_class_equally_often():
    table = pd.DataFrame({"label": np.repeat(list("abcd"), 3000)})
    planted = plant_mislabels(table, "label", 0.5)
    counts = pd.crosstab(planted["true_label"], planted["label"]).to_numpy()
    assert np.trace(counts) == 6000
    off = counts[~np.eye(4, dtype=bool)]
    assert (abs(off - 500) < 4 * np.sqrt(500)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.0}, r"'share' must be in \[0, 1\), got 1.0"),
        ({"dev_fold": 5}, "'dev_fold' must be 0 to 4, got 5"),
        ({"test_speakers": []}, "at least one speaker"),
        ({"similar": {"0": "1", "1": "0", "2": "2"}}, "replaces class '2' by itself"),
        ({"similar": {"0": "1", "1": "9", "2": "0"}}, "Unknown class of 'similar' '9'"),
    ],
)
def test_impossible_settings_are_named(make, root, settings, message):
    with pytest.raises(ValueError, match=message):
        make(root, **settings)
