"""Batches with pairs for criterions that compare recordings of one class."""

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
    """Train on batches in which recordings of one class on different devices come in pairs.

    Every sample is still seen once per epoch, in another order. A curriculum of the host draws
    its own batches instead.

    Args:
        modality: Column of the training table with the modality, such as the device.
        group: Column, or columns, whose values parallel recordings share: these stay together.
            Default: pairs are drawn anew from each class in every epoch.
    """

    def __init__(self, modality: str, group: str | list[str] | None = None) -> None:
        self.modality = modality
        self.group = [group] if isinstance(group, str) else list(group or [])

    def cb_on_train_begin(self, trainer: "ModularTaskTrainer") -> None:
        """Put another loader of the training data in place.

        Raises:
            ValueError: If a column is missing in the training table.
        """
        data, table = trainer.data, trainer.data.df_train
        for column in (self.modality, *self.group):
            if column not in table:
                raise unknown_name("column of the training table", column, table)
        sampler = PairSampler(
            table[data.target_column],
            table[self.modality],
            self._groups(table),
            generator=torch.Generator().manual_seed(data.seed),
        )
        trainer.train_loader = DataLoader(
            data.train_dataset,
            batch_size=data.batch_size,
            sampler=sampler,
            collate_fn=data.train_transform.get_collate_fn(data),
        )

    def _groups(self, table: "pd.DataFrame") -> "pd.Series | None":
        if not self.group:
            return None
        numbers = table.groupby(self.group).ngroup()
        return numbers.where(numbers >= 0)
