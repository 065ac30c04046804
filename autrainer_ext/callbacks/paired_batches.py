"""Callback that pairs recordings within batches, for criteria that compare them."""

from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader

from autrainer_ext.compat import CallbackMixin
from autrainer_ext.errors import unknown_name

from .pair_sampler import PairSampler

if TYPE_CHECKING:
    import pandas as pd
    from autrainer.training import ModularTaskTrainer


class PairedBatches(CallbackMixin):
    """Train on batches that contain pairs of recordings of one class on different devices.

    Every sample is still used once per epoch; only the order changes. A curriculum of the host
    draws its own batches and overrides this callback.

    Args:
        modality: Column of the training table with the modality, such as the device.
        group: Column or columns whose values parallel recordings share. These are put into the
            same batch. Default: new random pairs within each class in every epoch.
    """

    def __init__(self, modality: str, group: str | list[str] | None = None) -> None:
        super().__init__()
        self.modality = modality
        self.group = [group] if isinstance(group, str) else list(group or [])

    def cb_on_train_begin(self, trainer: "ModularTaskTrainer") -> None:
        """Replace the loader of the training data.

        Raises:
            ValueError: If a column is missing in the training table.
        """
        data, table = trainer.data, trainer.data.df_train
        for column in (self.modality, *self.group):
            if column not in table:
                raise unknown_name("column", column, table, where="the training table")
        sampler = PairSampler(
            table[data.target_column],
            table[self.modality],
            self._groups(table),
            generator=torch.Generator().manual_seed(data.seed),
        )
        trainer.train_loader = DataLoader(
            data.train_dataset,
            batch_size=trainer.cfg.batch_size,
            sampler=sampler,
            collate_fn=data.train_transform.get_collate_fn(data),
        )

    def _groups(self, table: "pd.DataFrame") -> "pd.Series | None":
        if not self.group:
            return None
        numbers = table.groupby(self.group).ngroup()
        return numbers.where(numbers >= 0)
