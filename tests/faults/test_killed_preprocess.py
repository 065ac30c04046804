"""A killed `preprocess` is completed by autrainer-ext and completed or refused by the host."""

import random
import shutil

import pandas as pd
import pytest

HOST = "autrainer.core.scripts.cli:main"
CONFIGURATION = """
defaults:
  - _autrainer_
  - override dataset: Few
  - override model: CPMobile-5k
  - override optimizer: Adam
  - _self_
results_dir: results
experiment_id: few
iterations: 1
device: cpu
hydra:
  sweeper:
    params:
      +seed: 1
      +batch_size: 2
      +learning_rate: 0.01
"""
DATASET = """
id: Few
_target_: autrainer_ext.datasets.CachedClassificationDataset
path: data
features_subdir: log_mel_16k
index_column: filename
target_column: label
file_type: npy
file_handler: autrainer.datasets.utils.NumpyFileHandler
criterion: torch.nn.CrossEntropyLoss
metrics: [autrainer.metrics.Accuracy]
tracking_metric: autrainer.metrics.Accuracy
"""


@pytest.fixture
def prepare(sounds):
    def prepare(folder):
        (folder / "conf/dataset").mkdir(parents=True)
        (folder / "conf/few.yaml").write_text(CONFIGURATION)
        (folder / "conf/dataset/Few.yaml").write_text(DATASET)
        (folder / "data/default").mkdir(parents=True)
        names = [f"{index}.wav" for index in range(4)]
        for name in names:
            shutil.copy(sounds / name, folder / "data/default")
        table = pd.DataFrame({"filename": names, "label": ["a", "b", "a", "b"]})
        for split in ("train", "dev", "test"):
            table.to_csv(folder / f"data/{split}.csv", index=False)
        return folder

    return prepare


@pytest.fixture
def features(contents):
    return lambda folder: contents(folder / "data/log_mel_16k")


@pytest.mark.slow
@pytest.mark.parametrize("script", [HOST, "autrainer_ext_plugins.cli:main"])
def test_a_killed_preprocess_is_never_taken_for_complete(
    start, prepare, features, n_kills, tmp_path, script
):
    arguments = ["preprocess", "-cn", "few"]
    whole = prepare(tmp_path / "whole")
    code, n_operations = start(arguments, whole, script=script)
    assert code == 0, (tmp_path / "whole.log").read_text()
    expected = features(whole)
    assert len(expected) == 4
    chance = random.Random(script)
    for number in range(n_kills + 2):
        folder = prepare(tmp_path / f"kill{number}")
        kill_at = chance.randint(1, n_operations)
        start(arguments, folder, kill_at=kill_at, script=script)
        code, _ = start(arguments, folder, script=script)
        if script == HOST and code == 1:
            log = folder.with_suffix(".log").read_text()
            assert "Features 'data/log_mel_16k' lack" in log
            code, _ = start(arguments, folder)
        assert code == 0
        assert features(folder) == expected, kill_at


@pytest.mark.slow
def test_truncated_features_are_computed_again(start, prepare, features, tmp_path):
    folder = prepare(tmp_path / "work")
    assert start(["preprocess", "-cn", "few"], folder)[0] == 0
    expected = features(folder)
    (folder / "data/log_mel_16k/0.npy").unlink()
    path = folder / "data/log_mel_16k/3.npy"
    path.write_bytes(path.read_bytes()[:-1])
    code, _ = start(["preprocess", "-cn", "few"], folder, script=HOST)
    log = folder.with_suffix(".log").read_text()
    assert code == 1
    assert "lack 2 recordings, the first one is '0.wav': delete the folder, or complete it" in log
    assert start(["preprocess", "-cn", "few"], folder)[0] == 0
    assert features(folder) == expected
