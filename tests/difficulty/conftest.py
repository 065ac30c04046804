"""Run directories made of arrays."""

import numpy as np
import pandas as pd
import pytest
import yaml

from autrainer_ext.runs import read_run


@pytest.fixture
def make_run(tmp_path):
    """Write a run and open it: make_run(name, outputs of shape (E, N, C), targets, ...)."""

    def make(name, outputs, targets, *, best=None, every=1, iterations=None, split="train"):
        n_classes, epochs = outputs.shape[2], [every * (i + 1) for i in range(len(outputs))]
        path = tmp_path / "results/some/training" / name
        config = {
            "iterations": iterations or epochs[-1],
            "callbacks": [{"autrainer_ext.callbacks.CleanOutputs": {"every": every}}],
            "dataset": {"target_column": "label", "index_column": "filename"},
        }
        files = {
            ".hydra/config.yaml": config,
            "target_transform.yaml": {"$LabelEncoder": {"labels": list("abcdefgh")[:n_classes]}},
            "_best/best_results.yaml": {"best_iteration": best or epochs[-1]},
        }
        for file, content in files.items():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_text(yaml.safe_dump(content))
        (path / "metrics.csv").write_text("iteration\n")
        (path / "_metadata").mkdir()
        table = {
            "filename": [f"{i}.wav" for i in range(len(targets))],
            "label": [list("abcdefgh")[target] for target in targets],
        }
        pd.DataFrame(table).to_csv(path / f"_metadata/{split}.csv", index=False)
        prefix = {"train": "traineval"}.get(split, split)
        for epoch, values in zip(epochs, outputs, strict=True):
            folder = path / f"epoch_{epoch}"
            folder.mkdir()
            np.save(folder / f"{prefix}_outputs.npy", values.astype(np.float32))
            np.save(folder / f"{prefix}_targets.npy", np.asarray(targets))
            np.save(folder / f"{prefix}_indices.npy", np.arange(len(targets)))
        return read_run(path)

    return make
