import copy
import logging
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from autrainer.augmentations import FrequencyMask, GaussianNoise, TimeMask, TimeShift, TimeWarp
from autrainer.datasets import BaseClassificationDataset
from autrainer.transforms import (
    Expand,
    GrayscaleToRGB,
    Normalize,
    RandomCrop,
    Resize,
    ScaleRange,
    SmartCompose,
    SpectToImage,
)
from torch.utils.data import DataLoader, Subset

from autrainer_ext.compat import batch_sizes, unpack
from autrainer_ext.datasets import CachedClassificationDataset

ROWS = {"train": "ababbaab", "dev": "abba", "test": "ba"}
SHAPE = (1, 12, 8)


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "mel").mkdir()
    for split, labels in ROWS.items():
        names = [f"{split}-{i}.wav" for i in range(len(labels))]
        for name in names:
            features = rng.standard_normal(SHAPE).astype(np.float32)
            np.save((tmp_path / "mel" / name).with_suffix(".npy"), features)
        table = pd.DataFrame({"filename": names, "label": list(labels)})
        table.to_csv(tmp_path / f"{split}.csv", index=False)
    return tmp_path


def make(root, cls=CachedClassificationDataset, **changes):
    settings = {
        "path": str(root),
        "features_subdir": "mel",
        "seed": 1,
        "metrics": ["autrainer.metrics.Accuracy"],
        "tracking_metric": "autrainer.metrics.Accuracy",
        "index_column": "filename",
        "target_column": "label",
        "file_type": "npy",
        "file_handler": "autrainer.datasets.utils.NumpyFileHandler",
        **batch_sizes(4, 4),
    }
    return cls(**settings | changes)


def rewrite(root, split, **columns):
    table = pd.read_csv(root / f"{split}.csv").assign(**columns)
    table.to_csv(root / f"{split}.csv", index=False)


@pytest.mark.parametrize("cache", [True, False, 0, 1e-6, 2.5])
def test_items_are_those_of_the_host(root, cache):
    ours, host = make(root, cache=cache), make(root, BaseClassificationDataset)
    for split in ("train_dataset", "dev_dataset", "test_dataset"):
        for _ in range(2):  # read from disk, then from memory
            for item, expected in enumerate(unpack(getattr(host, split)[i]) for i in range(2)):
                features, target, index = unpack(getattr(ours, split)[item])
                assert features.dtype == expected[0].dtype == torch.float32
                assert torch.equal(features, expected[0])
                assert (target, index) == expected[1:]
                assert type(target) is type(expected[1])


@pytest.mark.old_host
def test_loaders_give_the_batches_of_the_host(root):
    ours, host = make(root).train_loader, make(root, BaseClassificationDataset).train_loader
    for _ in range(2):
        for batch, expected in zip(ours, host, strict=True):
            assert all(torch.equal(x, y) for x, y in zip(batch, expected, strict=True))


def test_features_are_read_from_disk_once(root):
    dataset = make(root).train_dataset
    features = unpack(dataset[3])[0]
    np.save(root / "mel" / "train-3.npy", np.zeros(SHAPE, np.float32))
    assert torch.equal(unpack(dataset[3])[0], features)


def test_without_cache_features_are_read_every_time(root):
    dataset = make(root, cache=False).train_dataset
    dataset[3]
    np.save(root / "mel" / "train-3.npy", np.zeros(SHAPE, np.float32))
    assert unpack(dataset[3])[0].count_nonzero() == 0


def test_features_that_do_not_fit_are_read_from_disk_and_said_once(root, caplog):
    item = 4 * np.prod(SHAPE)
    dataset = make(root, cache=float(14 * item / 2 / 2**30)).train_dataset  # half of 14 items
    with caplog.at_level(logging.WARNING):
        before = [unpack(dataset[i])[0] for i in range(8)]
    assert [r.getMessage() for r in caplog.records] == [
        "The feature cache of 0.00 GiB is full after 4 of 8 recordings: "
        "the others are read from disk every time."
    ]
    for i in range(8):
        np.save(root / "mel" / f"train-{i}.npy", np.zeros(SHAPE, np.float32))
    is_kept = [torch.equal(unpack(dataset[i])[0], before[i]) for i in range(8)]
    assert is_kept == [True] * 4 + [False] * 4


IN_PLACE = [SpectToImage(height=8, width=12)]
OTHERS = [
    Expand(20, axis=-2),
    GrayscaleToRGB(),
    Normalize(mean=[0.5], std=[2.0]),
    RandomCrop(6, axis=-2),
    Resize(16, 16),
    ScaleRange(),
    FrequencyMask(freq_mask=4, axis=1),
    GaussianNoise(),
    TimeMask(time_mask=4, axis=0),
    TimeShift(axis=0, time_steps=3),
    TimeWarp(axis=0, W=2),
]


@pytest.mark.parametrize("transform", IN_PLACE + OTHERS, ids=lambda t: type(t).__name__)
def test_no_transform_reaches_the_kept_features(root, transform):
    dataset = make(root, train_transform=SmartCompose([transform])).train_dataset
    for _ in range(3):
        unpack(dataset[0])[0].zero_()
    dataset.transform = None
    assert np.array_equal(unpack(dataset[0])[0], np.load(root / "mel" / "train-0.npy"))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_start_with_an_empty_memory(root, duplicate):
    dataset = make(root).train_dataset
    kept = unpack(dataset[0])[0]
    twin = duplicate(dataset)
    assert torch.equal(unpack(twin[0])[0], kept)
    np.save(root / "mel" / "train-1.npy", np.zeros(SHAPE, np.float32))
    assert unpack(twin[1])[0].count_nonzero() == 0


def test_shallow_copy_shares_the_memory(root):
    dataset = make(root).train_dataset
    twin = copy.copy(dataset)
    twin.transform = SmartCompose([Expand(20, axis=-2)])
    kept = unpack(dataset[0])[0]
    np.save(root / "mel" / "train-0.npy", np.zeros(SHAPE, np.float32))
    assert unpack(twin[0])[0].shape != kept.shape
    assert unpack(twin[0])[0].count_nonzero() == kept.count_nonzero() > 0
    assert torch.equal(unpack(dataset[0])[0], kept)


@pytest.mark.old_host
def test_subset_with_the_default_collation_keeps_positions(root):
    dataset = make(root).train_dataset
    features, targets, indices = next(iter(DataLoader(Subset(dataset, [5, 2]), batch_size=2)))
    assert features.shape == (2, *SHAPE)
    assert indices.tolist() == [5, 2]
    assert targets.tolist() == [ROWS["train"][i] == "b" for i in (5, 2)]


class EverySecondRow(CachedClassificationDataset):
    def load_dataframes(self):
        train, dev, test = super().load_dataframes()
        return train[1::2], dev, test


def test_rows_cut_from_a_table_are_numbered_from_zero(root):
    dataset = make(root, EverySecondRow)
    assert dataset.df_train.index.tolist() == [0, 1, 2, 3]
    assert np.array_equal(
        unpack(dataset.train_dataset[1])[0], np.load(root / "mel" / "train-3.npy")
    )


def test_number_like_labels_stay_strings(root):
    for split, labels in ROWS.items():
        rewrite(root, split, label=[int(x == "b") for x in labels])
    assert make(root).target_transform.labels == ["0", "1"]


def test_missing_folder_is_rejected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none' does not exist in .*`autrainer fetch`\.$"):
        make(tmp_path / "none")


def test_missing_features_are_rejected(root):
    with pytest.raises(FileNotFoundError, match="log_mel' do not exist: run `autrainer preproc"):
        make(root, features_subdir="log_mel")


def test_missing_table_is_rejected(root):
    (root / "dev.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"Table '.*dev\.csv' is missing\."):
        make(root)


@pytest.mark.parametrize(
    "changes",
    [{"target_column": "scene"}, {"index_column": "scene"}, {"stratify": ["scene"]}],
)
def test_missing_column_is_rejected(root, changes):
    message = r"Unknown column 'scene' in '.*train\.csv'\..* Choose from: filename, label\."
    with pytest.raises(ValueError, match=message):
        make(root, **changes)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_empty_split_is_rejected(root, split):
    (root / f"{split}.csv").write_text("filename,label\n")
    with pytest.raises(ValueError, match=f"The {split} split of '.*' is empty"):
        make(root)


def test_unseen_class_is_rejected(root):
    rewrite(root, "test", label=["a", "c"])
    with pytest.raises(ValueError, match="Class 'c' of the test split does not occur in training"):
        make(root)


def test_missing_label_is_rejected(root):
    rewrite(root, "dev", label=["a", "b", None, "a"])
    with pytest.raises(ValueError, match=r"'dev-2\.wav' in the dev split has no label"):
        make(root)


def test_missing_files_are_counted_and_the_first_is_named(root):
    for i in (2, 0):
        (root / "mel" / f"dev-{i}.npy").unlink()
    message = r"2 of 4 files of the dev split are missing, the first one is '.*dev-0\.npy'\."
    with pytest.raises(FileNotFoundError, match=message):
        make(root)


def test_negative_cache_is_rejected(root):
    with pytest.raises(
        ValueError,
        match="Argument 'cache' must be true, false or a size in GiB of at least 0, got -1",
    ):
        make(root, cache=-1)
