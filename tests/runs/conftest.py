import numpy as np
import pytest

ENCODER = "$autrainer.datasets.utils.LabelEncoder==0.4.0:\n  labels: [bus, park]\n"
OUTPUTS = np.array([[1, 0], [2, 1], [0, 3]], dtype=np.float32)


@pytest.fixture
def run_directory(tmp_path):
    """A run of one iteration whose train outputs are in shuffled order."""
    path = tmp_path / "results/exp/training/Toy_Net_1"
    (path / ".hydra").mkdir(parents=True)
    (path / ".hydra/config.yaml").write_text("seed: 1\ndataset: {id: Toy}\n")
    (path / "target_transform.yaml").write_text(ENCODER)
    for folder, split, order in (
        ("epoch_1", "train", [2, 0, 1]),
        ("epoch_1", "dev", [0, 1, 2]),
        ("_best", "dev", [0, 1, 2]),
        ("_test", "test", [0, 1, 2]),
    ):
        (path / folder).mkdir(exist_ok=True)
        np.save(path / folder / f"{split}_outputs.npy", OUTPUTS[order])
        np.save(path / folder / f"{split}_targets.npy", np.array([0, 0, 1])[order])
        np.save(path / folder / f"{split}_indices.npy", np.array([0, 1, 2])[order])
    (path / "metrics.csv").write_text("iteration\n1\n")
    return path
