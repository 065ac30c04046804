"""The real trainer with every balancing criterion, on labels and on mixed labels."""

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from autrainer_ext.runs import find_runs, read_outputs

pytestmark = pytest.mark.slow

EXPERIMENT = """
defaults:
  - ext_balancing_fsdd
  - override augmentation: MixUp
  - override scheduler: None
  - _self_
experiment_id: mixed
iterations: 2
callbacks: []
dataset: {{test_speakers: [cid], imbalance_ratio: 4, most: null}}
hydra: {{sweeper: {{params: {{+seed: 1, +criterion@dataset.criterion: "{criteria}"}}}}}}
"""


@pytest.fixture(scope="module")
def criteria(root):
    """Criteria compared in the study."""
    experiment = OmegaConf.load(root / "conf/ext_balancing_fsdd.yaml")
    return experiment.hydra.sweeper.params["+criterion@dataset.criterion"].split(",")


@pytest.fixture(scope="module")
def runs(command, tmp_path_factory, criteria):
    """Two epochs of every criterion with mixed samples, in one process, on made-up features."""
    directory = tmp_path_factory.mktemp("criteria")
    (directory / "conf").mkdir()
    (directory / "conf/mixed.yaml").write_text(EXPERIMENT.format(criteria=",".join(criteria)))
    features = directory / "data/FSDD/log_mel_16k"
    features.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for digit in range(10):
        for speaker in ("ann", "ben", "cid"):
            for take in range(9):
                name = f"{digit}_{speaker}_{take}"
                clip = rng.normal(-60, 10, (1, 96, 64)).astype(np.float32)
                clip[:, :, 4 * digit : 4 * digit + 10] += 30
                np.save(features / f"{name}.npy", clip)
                rows.append((f"{name}.wav", digit, speaker, take))
    table = pd.DataFrame(rows, columns=["filename", "digit", "speaker", "take"])
    table.to_csv(directory / "data/FSDD/fsdd.csv", index=False)
    command("autrainer", "train", "-cn", "mixed", cwd=directory)
    return find_runs(directory / "results", "mixed")


def test_every_criterion_trains_a_run_of_its_own(runs, criteria):
    names = {run.config["dataset"]["id"].removeprefix("FSDD-longtailed-") for run in runs}
    assert names == set(criteria)
    assert all(run.is_complete and len(run.iterations) == 2 for run in runs)


def test_losses_per_sample_are_saved(runs):
    for run in runs:
        losses = np.load(run.path / "epoch_2" / "dev_losses.npy", allow_pickle=False)
        assert losses.shape == read_outputs(run, "dev", 2).targets.shape, run.name
        assert np.isfinite(losses).all(), run.name
        assert (losses >= 0).all(), run.name
