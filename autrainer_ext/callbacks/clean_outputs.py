"""Callback that saves clean outputs of the training and test splits at every evaluation."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import yaml
from autrainer.datasets.utils import DatasetWrapper
from torch.utils.data import DataLoader

from autrainer_ext.atomic import atomic_file
from autrainer_ext.compat import CallbackMixin, unpack
from autrainer_ext.serving.forward import ForwardPass

if TYPE_CHECKING:
    from autrainer.training import ModularTaskTrainer


class CleanOutputs(CallbackMixin):
    """Save the outputs for all training and test samples whenever the host evaluates.

    The host saves dev outputs at every iteration, test outputs at the best iteration only, and
    train outputs as recorded during the training pass: with augmentation, in training mode, from
    changing weights. This callback adds two sets of files in the same format beside the host's
    `dev_*.npy`, each at the cost of one forward pass:

    - `traineval_*.npy`: the training split in its own order, in evaluation mode, with the dev
      transform.
    - `test_*.npy`: the test split.

    It also saves the tables of the splits as `_metadata/{train,dev,test}.csv`, so that results
    can be grouped by their columns without the data, the names of the index, target and
    stratification columns as `_metadata/columns.yaml`, and as `_metadata/clean_outputs.yaml` at
    which iterations outputs are saved, so that missing ones are noticed.

    Training is not affected: random numbers, batches and weights stay the same.

    Args:
        train: Whether to save `traineval_*.npy`.
        test: Whether to save `test_*.npy`. Use them for analysis, not for model selection.
        every: Save at iterations that are a multiple of this number, and at the last one.

    Raises:
        ValueError: If `every` is not positive.
    """

    def __init__(self, train: bool = True, test: bool = True, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"Argument 'every' must be at least 1, got {every}.")
        super().__init__()
        self.train = train
        self.test = test
        self.every = every

    def cb_on_train_begin(self, trainer: "ModularTaskTrainer") -> None:
        """Save the tables of the splits and the names of their columns."""
        folder = Path(trainer.output_directory, "_metadata")
        data = trainer.data
        for split in ("train", "dev", "test"):
            with atomic_file(folder / f"{split}.csv") as path:
                getattr(data, f"df_{split}").to_csv(path, index=False)
        several = not isinstance(data.target_column, str)
        columns = {
            "index_column": data.index_column,
            "target_column": list(data.target_column) if several else data.target_column,
            "stratify": list(data.stratify),
        }
        with atomic_file(folder / "columns.yaml") as path:
            path.write_text(yaml.safe_dump(columns, sort_keys=False))
        # a continued run starts later; what the run before saved was up to its own settings
        schedule = {"every": self.every, "first": int(trainer.initial_iteration)}
        with atomic_file(folder / "clean_outputs.yaml") as path:
            path.write_text(yaml.safe_dump(schedule, sort_keys=False))

    def cb_on_val_end(
        self, trainer: "ModularTaskTrainer", iteration: int, val_results: dict
    ) -> None:
        """Save the outputs at an iteration."""
        if iteration % self.every and iteration != trainer.cfg.iterations:
            return
        data = trainer.data
        folder = Path(trainer.output_directory, f"{trainer.cfg.training_type}_{iteration}")
        if self.train:
            samples = copy.copy(data.train_dataset)
            samples.transform = data.dev_transform
            self._save(folder / "traineval", samples, trainer)
        if self.test:
            self._save(folder / "test", data.test_dataset, trainer)

    def cb_on_dev_end(
        self, trainer: "ModularTaskTrainer", iteration: int, dev_results: dict
    ) -> None:
        """Save the outputs at an iteration (name of the hook from autrainer 0.10 on)."""
        self.cb_on_val_end(trainer, iteration, dev_results)

    def _save(self, prefix: Path, samples: DatasetWrapper, trainer: "ModularTaskTrainer") -> None:
        outputs, targets = _predict(samples, trainer)
        arrays = {"outputs": outputs, "targets": targets, "indices": np.arange(len(targets))}
        for name, array in arrays.items():
            with atomic_file(prefix.with_name(f"{prefix.name}_{name}.npy")) as path:
                np.save(path, array, allow_pickle=False)


def _predict(
    samples: DatasetWrapper, trainer: "ModularTaskTrainer"
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and targets in the order of the split. Network and random state do not change."""
    loader = DataLoader(
        samples,
        batch_size=trainer.cfg.inference_batch_size or trainer.cfg.batch_size,
        collate_fn=trainer.data.dev_transform.get_collate_fn(trainer.data),
    )
    forward = ForwardPass(trainer.model, device=str(trainer.DEVICE), n_expected=len(samples))
    targets = []

    def features() -> Iterator[torch.Tensor]:
        for batch in loader:
            inputs, target, _ = unpack(batch)
            targets.append(target)
            yield inputs

    with torch.random.fork_rng(devices=[]):
        outputs = torch.cat(list(forward.stream(features()))).float()
    return outputs.numpy(), torch.cat(targets).numpy()
