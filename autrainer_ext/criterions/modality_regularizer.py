"""Siamese modality regulariser: recordings of one class look the same on every device."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import autrainer
import pandas as pd
import torch
from torch.nn.modules.loss import _Loss

from autrainer_ext.compat import CallbackMixin
from autrainer_ext.errors import unknown_name

from .modality_distance import (
    DISTANCES,
    between_class_variance,
    modality_distance,
    pair_mask,
)

if TYPE_CHECKING:
    from autrainer.datasets import AbstractDataset
    from autrainer.training import ModularTaskTrainer
    from torch.utils.data import DataLoader

_TABLE = "modality.csv"


class ModalityRegularizedLoss(CallbackMixin, _Loss):
    """A criterion plus the distance between same-class embeddings of different modalities.

    L = L_base + w R, with R the mean distance of the pairs of the batch (see
    `modality_distance`). In training only: development and test losses, and the per-sample
    losses the host saves, are those of the base criterion. With a weight of 0 training is
    bit for bit that with the base criterion alone, and only watched.

    Embeddings are what a layer of the model gave in the forward pass of the step; which samples
    it was given comes from the training loader. So it works with any model, optimiser, curriculum
    and continued training, and the trained model knows nothing of it.

    Every evaluation leaves a row in `ITERATION/modality.csv`, and all of them in `modality.csv`
    beside `metrics.csv` at the end: means over the batches since the last evaluation of
    `pairs`, their number, `distance`, their mean distance R (batches without a pair left out),
    `weight`, the w in use, and `between_class_variance`. If the latter falls towards zero the
    embeddings collapse, as they may in networks with batch norms unless `relative`: see
    docs/devices.md.

    Augmentations that mix samples are refused: a mixture of two recordings is of no device.
    A base criterion that a curriculum of the host reweighs at every pace
    (`BalancedCrossEntropyLoss`) keeps the weights it was set up with.

    Args:
        base: The criterion of the class loss, a dotted path or a mapping from it to settings.
        modality: Column of the training table with the modality, such as the device. Samples
            without one take part in no pair.
        layer: Name of a module of the model. Its output in the training step, shape (N, ...),
            drop-out included, is the embedding.
        weight: Weight w of the regulariser, not negative.
        distance: "l1", "squared_l2" or "cosine".
        relative: Whether R is divided by the mean distance of all samples of the batch, so that it
            does not fall where embeddings merely shrink.
        group: Column, or columns, whose values parallel recordings share, such as place and
            moment: only these are compared. Default: all recordings of a class are.
        average: Whether maps of shape (N, C, ...) are averaged to (N, C) or else flattened.
        warmup: Iterations over which the weight grows linearly to its value, not negative.
        balance: Whether `weight` is the ratio of the gradients of both terms with respect to the
            embedding: w = weight * |dL_base / dz| / |dR / dz|, Euclidean norms over the batch.
        reduction: Reduction of the base criterion outside of training.

    Raises:
        ValueError: If an argument is outside its range.

    Source:
        See `modality_distance`; `balance` as the adaptive weight of Esser et al. (2021), Taming
        transformers for high-resolution image synthesis, equation 7, there for the last layer.
    """

    def __init__(
        self,
        base: str | dict,
        modality: str,
        layer: str,
        weight: float = 1.0,
        distance: str = "l1",
        relative: bool = False,
        group: str | list[str] | None = None,
        average: bool = False,
        warmup: int = 0,
        balance: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        if distance not in DISTANCES:
            raise unknown_name("distance", distance, DISTANCES)
        for name, value in (("weight", weight), ("warmup", warmup)):
            if not value >= 0:
                raise ValueError(f"{name} must not be negative, got {value}.")
        self.base = autrainer.instantiate_shorthand(base, instance_of=_Loss)
        self.modality = modality
        self.layer = layer
        self.weight = weight
        self.distance = distance
        self.relative = relative
        self.group = [group] if isinstance(group, str) else list(group or [])
        self.average = average
        self.warmup = warmup
        self.balance = balance
        self._iteration = 0
        self._groups: torch.Tensor | None = None
        self._output: torch.Tensor | None = None
        self._loader: _WatchedLoader | None = None
        self._rows: list[dict[str, float]] = []

    def setup(self, data: "AbstractDataset") -> None:
        """Learn the modality and group of every training sample.

        Args:
            data: Data set of the run.

        Raises:
            ValueError: If a column is missing or no two samples could ever be compared.
        """
        if hasattr(self.base, "setup"):
            self.base.setup(data)
        table = data.df_train
        for column in (self.modality, *self.group):
            if column not in table:
                raise unknown_name("column of the training table", column, table)
        shared = [data.target_column, *self.group]
        if not table.groupby(shared)[self.modality].nunique().max() > 1:
            raise ValueError(
                f"No two training samples of the same {' and '.join(shared)} differ in "
                f"'{self.modality}': there is nothing to compare."
            )
        self._modalities = torch.tensor(pd.factorize(table[self.modality])[0]).long()
        if self.group:
            numbers = table.groupby(self.group).ngroup().fillna(-1)  # nan: unknown
            self._groups = torch.tensor(numbers.to_numpy(dtype=int))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Args:
            x: Logits, shape (N, C).
            y: Class of every sample, shape (N,).

        Returns:
            What the base criterion returns, plus the regulariser in a training step.

        Raises:
            ValueError: If `y` holds soft targets in a training step.
        """
        self.base.reduction = self.reduction
        loss = self.base(x, y)
        output, self._output = self._output, None
        if output is None or not x.requires_grad:
            return loss
        if y.ndim != 1:
            raise ValueError(
                "ModalityRegularizedLoss needs one class per sample: augmentations that mix "
                "samples (MixUp, CutMix) leave mixtures that belong to no device."
            )
        weight = self.weight * min(1.0, self._iteration / self.warmup if self.warmup else 1.0)
        with torch.set_grad_enabled(weight > 0):
            embeddings = self._embeddings(output)
            mask = self._pairs(y)
            distance = modality_distance(embeddings, mask, self.distance, relative=self.relative)
        if weight and self.balance:
            weight *= _gradient_ratio(loss, distance, output)
        self._watch(embeddings.detach(), y, mask, distance.item(), weight)
        return loss + weight * distance if weight else loss

    def _embeddings(self, output: torch.Tensor) -> torch.Tensor:
        maps = output.flatten(2) if output.ndim > 2 else output[..., None]
        return maps.mean(dim=2) if self.average else maps.flatten(1)

    def _pairs(self, y: torch.Tensor) -> torch.Tensor:
        indices = self._loader.indices
        groups = None if self._groups is None else self._groups[indices].to(y.device)
        return pair_mask(y, self._modalities[indices].to(y.device), groups)

    def _watch(
        self,
        embeddings: torch.Tensor,
        y: torch.Tensor,
        mask: torch.Tensor,
        distance: float,
        weight: float,
    ) -> None:
        pairs = int(mask.sum())
        self._rows.append(
            {
                "pairs": pairs,
                "distance": distance if pairs else float("nan"),
                "weight": weight,
                "between_class_variance": between_class_variance(embeddings, y).item(),
            }
        )

    def _keep(self, module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        if module.training and torch.is_grad_enabled():
            self._output = output

    def cb_on_train_begin(self, trainer: "ModularTaskTrainer") -> None:
        """Watch the layer, and have the base criterion called back too.

        Raises:
            ValueError: If the model has no such layer.
        """
        layers = dict(trainer.model.named_modules())
        if not self.layer or self.layer not in layers:
            outer = ", ".join(name for name in layers if name and name.count(".") < 2)
            raise ValueError(f"The model has no layer '{self.layer}', but {outer}.")
        self._hook = layers[self.layer].register_forward_hook(self._keep)
        trainer.callback_manager.register(self.base)  # also for the rest of this very callback

    def cb_on_iteration_begin(self, trainer: "ModularTaskTrainer", iteration: int) -> None:
        """Watch the training loader; a curriculum puts its own in place after training began."""
        if not isinstance(trainer.train_loader, _WatchedLoader):
            trainer.train_loader = _WatchedLoader(trainer.train_loader)
        self._loader = trainer.train_loader

    def cb_on_step_begin(
        self, trainer: "ModularTaskTrainer", iteration: int, batch_idx: int
    ) -> None:
        """Keep the iteration, from which the weight follows."""
        self._iteration = iteration

    def cb_on_iteration_end(
        self, trainer: "ModularTaskTrainer", iteration: int, metrics: dict
    ) -> None:
        """Save what was watched since the last evaluation."""
        row = pd.DataFrame(self._rows).mean().to_frame().T
        row.insert(0, "iteration", iteration)
        folder = f"{trainer.cfg.training_type}_{iteration}"
        trainer.bookkeeping.save_results_df(row, _TABLE, folder)
        self._rows = []

    def cb_on_train_end(self, trainer: "ModularTaskTrainer") -> None:
        """Gather the rows of all evaluations, those of a continued run too."""
        self._hook.remove()
        saved = trainer.output_directory.glob(f"{trainer.cfg.training_type}_*/{_TABLE}")
        rows = pd.concat([pd.read_csv(path) for path in saved])
        trainer.bookkeeping.save_results_df(rows.sort_values("iteration"), _TABLE)


class _WatchedLoader:
    """A training loader that remembers which samples were in the last batch."""

    def __init__(self, loader: "DataLoader") -> None:
        self._loader = loader
        self.indices: torch.Tensor | None = None

    def __iter__(self) -> Iterator[list]:
        for batch in self._loader:
            self.indices = batch[2]
            yield batch

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)


def _gradient_ratio(loss: torch.Tensor, distance: torch.Tensor, output: torch.Tensor) -> float:
    """|d loss / d output| over |d distance / d output|; 0 where the distance has no slope."""
    of_loss, of_distance = (
        torch.autograd.grad(term, output, retain_graph=True)[0].norm() for term in (loss, distance)
    )
    return (of_loss / of_distance).item() if of_distance > 0 else 0.0
