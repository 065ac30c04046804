"""Both hosts: equal training losses, and the four ways in which a host would ignore code silently.

Every test runs on both hosts, and fails on both or on autrainer 0.10 without its remedy.
"""

import json
import re
from functools import cached_property
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from autrainer_ext import callbacks, compat, criterions
from autrainer_ext.criterions import LDAMLoss, WeightedCrossEntropyLoss
from autrainer_ext.datasets import CachedClassificationDataset
from autrainer_ext.runs import find_runs, read_outputs

CRITERIA = (  # all but BalancedCrossEntropy, which the host scales in its own way
    "CrossEntropy",
    "SmoothedCrossEntropy",
    "WeightedCrossEntropy",
    "SquareRootCrossEntropy",
    "ClassBalancedCrossEntropy",
    "Focal",
    "ClassBalancedFocal",
    "LogitAdjusted",
    "BalancedSoftmax",
    "LDAM",
    "LDAM-DRW",
    "ModalityRegularized",
)
EXPERIMENT = f"""
defaults:
  - _autrainer_
  - override dataset: Uneven
  - override model: CPMobile-5k
  - override optimizer: Adam
  - _self_
results_dir: results
experiment_id: hosts
iterations: 3
device: cpu
continue_training: false
callbacks:
- autrainer_ext.callbacks.CleanOutputs
- autrainer_ext.callbacks.PairedBatches: {{modality: device}}
hydra:
  sweeper:
    params:
      +seed: 1
      +batch_size: 8
      +learning_rate: 0.01
      +criterion@dataset.criterion: {",".join(CRITERIA)}
"""
DATASET = """
id: Uneven-${autrainer_ext.chosen:criterion@dataset.criterion}
_target_: autrainer_ext.datasets.CachedClassificationDataset
path: data
features_subdir: default
index_column: filename
target_column: scene
file_type: npy
file_handler: autrainer.datasets.utils.NumpyFileHandler
criterion: ???
metrics: [autrainer.metrics.Accuracy]
tracking_metric: autrainer.metrics.Accuracy
transform: {type: grayscale}
"""
SIZES = {"train": (20, 12, 5), "dev": (4, 4, 4), "test": (4, 4, 4)}


@pytest.fixture(scope="module")
def runs(command, tmp_path_factory):
    """Runs of three epochs with all criteria on uneven classes, by the name of the criterion."""
    folder = tmp_path_factory.mktemp("hosts")
    write_data(folder)
    command("autrainer", "train", "-cn", "hosts", cwd=folder)
    return {
        run.config["dataset"]["id"].removeprefix("Uneven-"): run
        for run in find_runs(folder / "results", "hosts")
    }


def write_data(folder):
    (folder / "data/default").mkdir(parents=True)
    (folder / "conf/dataset").mkdir(parents=True)
    (folder / "conf/dataset/Uneven.yaml").write_text(DATASET)
    (folder / "conf/hosts.yaml").write_text(EXPERIMENT)
    rng = np.random.default_rng(0)
    for split, sizes in SIZES.items():
        scenes = np.repeat(["bus", "park", "tram"], sizes)
        names = [f"{split}-{i}" for i in range(len(scenes))]
        devices = np.array(["a", "b"])[np.arange(len(scenes)) % 2]
        table = pd.DataFrame({"filename": names, "scene": scenes, "device": devices})
        table.to_csv(folder / f"data/{split}.csv", index=False)
        for name, scene in zip(names, scenes, strict=True):
            features = rng.normal(size=(1, 24, 16)).astype(np.float32)
            features[:, :, 5 * "bpt".index(scene[0]) :][:, :, :5] += 0.7
            np.save(folder / f"data/default/{name}.npy", features)


@pytest.mark.slow
def test_training_losses_are_those_of_the_other_host(runs, root):
    expected = json.loads((root / "tests/reference/hosts.json").read_text())["losses"]
    found = {
        name: pd.read_csv(run.path / "metrics.csv")["train_loss"].tolist()
        for name, run in runs.items()
    }
    assert set(found) == set(expected) == set(CRITERIA)
    for name, losses in found.items():
        np.testing.assert_allclose(losses, expected[name], atol=1e-4, rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_the_shipped_model_predicts_as_under_the_other_host(command, root, tmp_path):
    (tmp_path / "audio").mkdir()
    noise = np.random.default_rng(0).normal(scale=0.1, size=(3, 12_000))
    for i, samples in enumerate(noise):
        soundfile.write(tmp_path / f"audio/{i}.wav", samples[: 6_000 * (i + 1)], 16_000)
    (tmp_path / "audio/broken.wav").write_bytes(b"RIFF")
    result = command(
        "autrainer-ext",
        "inference",
        root / "model",
        "audio",
        "out",
        "-q",
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 3, result.stderr  # one file is broken
    expected = json.loads((root / "tests/reference/hosts.json").read_text())["outputs"]
    found = pd.read_csv(tmp_path / "out/results.csv")["output"].map(json.loads).tolist()
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_callbacks_are_called_in_their_own_run_only(runs):
    for name, run in runs.items():
        assert len(read_outputs(run, "traineval", 3).targets) == sum(SIZES["train"]), name
        assert (run.path / "modality.csv").is_file() == (name == "ModalityRegularized")
    rows = pd.read_csv(runs["ModalityRegularized"].path / "modality.csv")
    assert rows["iteration"].tolist() == [1, 2, 3]
    assert (rows["pairs"] > 0).all()


@pytest.mark.parametrize(
    "make",
    [
        callbacks.CleanOutputs,
        lambda: callbacks.PairedBatches("device"),
        lambda: callbacks.RunPlugins([]),
        lambda: criterions.ModalityRegularizedLoss("torch.nn.CrossEntropyLoss", "device", "stages"),
        LDAMLoss,
    ],
)
def test_callbacks_register_themselves(make, monkeypatch):
    registered = []

    def register(self, *arguments, **options):
        registered.append(self)
        super(compat.CallbackMixin, self).__init__(*arguments, **options)

    monkeypatch.setattr(compat.CallbackMixin, "__init__", register)
    callback = make()
    assert registered == [callback]
    assert isinstance(callback, compat.CallbackMixin)


def test_all_callbacks_are_tested():
    rooms = (vars(callbacks), vars(criterions))
    found = {
        name
        for room in rooms
        for name, each in room.items()
        if isinstance(each, type) and any(method.startswith("cb_") for method in dir(each))
    }
    assert found == {
        "CleanOutputs", "PairedBatches", "RunPlugins", "ModalityRegularizedLoss", "LDAMLoss",
    }  # fmt: skip


class Half(CachedClassificationDataset):
    """Overrides `load_dataframes`, as the official and long-tailed data sets do."""

    def load_dataframes(self):
        train, dev, test = super().load_dataframes()
        return train.iloc[::2], dev, test


def test_tables_are_those_of_load_dataframes(tmp_path):
    write_data(tmp_path)
    data = Half(
        path=str(tmp_path / "data"),
        features_subdir="default",
        seed=1,
        metrics=[],
        tracking_metric="autrainer.metrics.Accuracy",
        index_column="filename",
        target_column="scene",
        file_type="npy",
        file_handler="autrainer.datasets.utils.NumpyFileHandler",
        **compat.batch_sizes(8, 8),
    )
    assert len(data.df_train) == len(data.train_dataset) == 19
    for split in ("train", "dev", "test"):
        # what a host reads that never calls load_dataframes
        lazy = getattr(type(data), f"df_{split}")
        assert isinstance(lazy, cached_property)
        table = lazy.func(data).reset_index(drop=True)
        pd.testing.assert_frame_equal(table, getattr(data, f"df_{split}"))


@pytest.mark.parametrize("shares", [False, True])
def test_the_mean_of_scaled_losses_is_the_reduced_loss(shares, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator, requires_grad=True)
    target = torch.tensor([0, 0, 0, 1, 1, 2])
    if shares:
        target = 0.8 * torch.nn.functional.one_hot(target, 3) + 0.2 / 3
    reduced, averaged = (WeightedCrossEntropyLoss(reduction=r) for r in ("mean", "none"))
    monkeypatch.setattr("autrainer_ext.criterions.balancing.trainer_averages", lambda: True)
    for criterion in (reduced, averaged):
        criterion.setup(_counted([3, 2, 1]))
    torch.testing.assert_close(averaged(logits, target).mean(), reduced(logits, target))
    with torch.no_grad():  # evaluation: the losses that are saved, equal on both hosts
        weights = reduced.weight.float()
        plain = torch.nn.functional.cross_entropy(logits, target, weights, reduction="none")
        torch.testing.assert_close(averaged(logits.detach(), target), plain)


def _counted(counts):
    """Data set with a number of training samples per class."""
    from types import SimpleNamespace

    from autrainer.datasets.utils import LabelEncoder

    labels = [str(i) for i in range(len(counts))]
    table = pd.DataFrame({"label": np.repeat(labels, counts)})
    return SimpleNamespace(
        df_train=table, target_column="label", target_transform=LabelEncoder(labels)
    )


@pytest.mark.slow
@pytest.mark.skipif(find_spec("aucurriculum") is not None, reason="aucurriculum is installed")
def test_without_aucurriculum_a_curriculum_is_an_error(command, tmp_path):
    result = command(
        "autrainer-ext", "train", "-cn", "ext_demo_curriculum", cwd=tmp_path, check=False
    )
    assert result.returncode != 0
    assert "_aucurriculum_train_" in result.stderr
    assert not (tmp_path / "results").exists()


def test_only_compat_depends_on_the_version(root):
    package, plugins = root / "autrainer_ext", root / "plugins"
    for path in [*package.rglob("*.py"), *plugins.rglob("*.py")]:
        if path.name != "compat.py":
            text = path.read_text()
            assert "IS_OLD_HOST" not in text, path
            assert not re.search(r"autrainer\.__version__|version\(.autrainer.\)", text), path
