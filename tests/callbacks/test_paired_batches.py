from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from torch.utils.data import DataLoader

from autrainer_ext.callbacks import PairedBatches
from autrainer_ext.compat import batch_sizes, unpack
from autrainer_ext.datasets import CachedClassificationDataset


@pytest.fixture
def trainer(tmp_path):
    """A data set of 24 moments on two devices each, and a loader of it."""
    table = pd.DataFrame({"filename": [f"{i}.npy" for i in range(48)]})
    table["moment"], table["device"] = np.arange(48) // 2, np.array(["a", "b"])[np.arange(48) % 2]
    table["place"], table["scene"] = "x", np.array(["bus", "park"])[table["moment"] % 2]
    (tmp_path / "default").mkdir()
    for split in ("train", "dev", "test"):
        table.to_csv(tmp_path / f"{split}.csv", index=False)
    for i in range(48):
        np.save(tmp_path / f"default/{i}.npy", np.full((1, 2, 2), i, np.float32))
    data = CachedClassificationDataset(
        path=str(tmp_path),
        features_subdir="default",
        seed=1,
        metrics=["autrainer.metrics.Accuracy"],
        tracking_metric="autrainer.metrics.Accuracy",
        index_column="filename",
        target_column="scene",
        file_type="npy",
        file_handler="autrainer.datasets.utils.NumpyFileHandler",
        **batch_sizes(8, 8),
        stratify=["device"],
    )
    loader = DataLoader(
        data.train_dataset, batch_size=8, collate_fn=data.train_transform.get_collate_fn(data)
    )
    return SimpleNamespace(data=data, train_loader=loader, cfg=SimpleNamespace(batch_size=8))


def epoch(trainer):
    return [unpack(batch)[2].numpy() for batch in trainer.train_loader]


@pytest.mark.parametrize("group", ["moment", ["place", "moment"]])
def test_parallel_recordings_are_in_one_batch(trainer, group):
    PairedBatches("device", group).cb_on_train_begin(trainer)
    batches = epoch(trainer)
    assert [len(batch) for batch in batches] == [8] * 6
    assert sorted(np.concatenate(batches)) == list(range(48))
    for batch in batches:
        assert (np.unique(batch // 2, return_counts=True)[1] == 2).all()


def test_without_groups_partners_are_of_one_class_and_change(trainer):
    PairedBatches("device").cb_on_train_begin(trainer)
    first, second = epoch(trainer), epoch(trainer)
    assert not np.array_equal(first, second)
    table = trainer.data.df_train
    for batch in first:
        rows = table.iloc[batch]
        assert (rows["scene"].to_numpy()[::2] == rows["scene"].to_numpy()[1::2]).all()
        assert (rows["device"].to_numpy()[::2] != rows["device"].to_numpy()[1::2]).all()


def test_items_are_those_of_the_host(trainer):
    before = {
        int(i): (x, y)
        for xs, ys, js in map(unpack, trainer.train_loader)
        for x, y, i in zip(xs, ys, js, strict=True)
    }
    PairedBatches("device").cb_on_train_begin(trainer)
    for features, targets, indices in map(unpack, trainer.train_loader):
        for x, y, index in zip(features, targets, indices, strict=True):
            assert (x == before[int(index)][0]).all()
            assert y == before[int(index)][1]


@pytest.mark.parametrize(
    ("arguments", "column"), [(["phone"], "phone"), (["device", ["moment", "minute"]], "minute")]
)
def test_missing_columns_are_named(trainer, arguments, column):
    with pytest.raises(ValueError, match=f"Unknown column '{column}' in the training table"):
        PairedBatches(*arguments).cb_on_train_begin(trainer)
