"""Siamese modality regulariser: similar embeddings for the same class on every device."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import autrainer
import torch
from torch.nn.modules.loss import _Loss

from autrainer_ext.compat import CallbackMixin, register_callback, unpack
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


class ModalityRegularizedLoss(CallbackMixin, _Loss):
    """A base criterion plus the distance between same-class embeddings of different modalities.

    L = L_base + w R, where R is the mean distance of the pairs of the batch: samples of the same
    class and different modalities, such as recording devices (see `modality_distance`).

    R is added in training only. Development and test losses, and the per-sample losses saved by
    the host, are those of the base criterion. With a weight of 0, training is bit-identical to
    training with the base criterion, and R is only recorded.

    The embeddings are the outputs of a layer of the model, captured by a forward hook. The indices
    of the samples are taken from the training loader. The criterion therefore works with any model,
    optimiser and curriculum and with continued training, and the trained model is not changed.

    Every evaluation writes a row to `ITERATION/modality.csv`. At the end of training, all rows are
    written to `modality.csv` next to `metrics.csv`. Columns, as means over the batches since the
    last evaluation: `pairs`, the number of pairs; `distance`, the value of R (without batches
    without a pair); `weight`, the value of w; and `between_class_variance`. If the latter falls
    towards zero, the embeddings collapse. This may happen in networks with batch norms unless
    `relative` is set, see docs/studies/devices.md.

    Augmentations that mix samples are rejected, since a mixed sample has no single modality. The
    class weights of a base criterion are those set before training, even if the host's curriculum
    would update them (`BalancedCrossEntropyLoss`).

    Args:
        base: Base criterion: a dotted path, or a mapping from the dotted path to its settings.
        modality: Column of the training table with the attribute the embeddings should not depend
            on, such as the device. Samples without a value are not paired.
        layer: Name of a module of the model. Its output in the training step, shape (N, ...),
            including dropout, is the embedding.
        weight: Weight w of the regulariser, not negative.
        distance: "l1", "squared_l2" or "cosine".
        relative: Whether R is divided by the mean distance of all samples of the batch, so that
            shrinking the embeddings does not reduce R.
        group: Column or columns with equal values for parallel recordings, such as place and
            moment; only recordings of the same group are paired. Default: all recordings of a
            class are paired.
        average: Whether feature maps of shape (N, C, ...) are averaged to (N, C) instead of
            flattened.
        warmup: Number of iterations over which the weight grows linearly from 0 to its value, not
            negative.
        balance: Whether the weight is relative to the gradients of both terms with respect to the
            embeddings: w = weight * ||dL_base / dz|| / ||dR / dz||, Euclidean norms over the batch.
        reduction: Reduction of the base criterion outside of training.

    Raises:
        ValueError: If an argument is out of range or `distance` is unknown.

    Source:
        See `modality_distance`. `balance`: adaptive weight of Esser et al. (2021), Taming
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
                raise ValueError(f"Argument '{name}' must not be negative, got {value}.")
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
        self._loader: _WatchedLoader  # set when an iteration begins
        self._rows: list[dict[str, float]] = []

    def setup(self, data: "AbstractDataset") -> None:
        """Store the modality and group of every training sample.

        Args:
            data: Data set of the run.

        Raises:
            ValueError: If a column is missing or no two training samples form a pair.
        """
        if hasattr(self.base, "setup"):
            self.base.setup(data)
        table = data.df_train
        for column in (self.modality, *self.group):
            if column not in table:
                raise unknown_name("column", column, table, where="the training table")
        shared = [data.target_column, *self.group]
        if not table.groupby(shared)[self.modality].nunique().max() > 1:
            raise ValueError(
                f"No two training samples of the same {' and '.join(shared)} differ in "
                f"'{self.modality}': at least one pair is required."
            )
        self._modalities = torch.tensor(table[self.modality].factorize()[0]).long()
        if self.group:
            numbers = table.groupby(self.group).ngroup().fillna(-1)  # nan: unknown
            self._groups = torch.tensor(numbers.to_numpy(dtype=int))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Args:
            x: Logits, shape (N, C).
            y: Class index of every sample, shape (N,).

        Returns:
            Loss of the base criterion, plus the regulariser in a training step.

        Raises:
            ValueError: If `y` contains soft targets in a training step.
        """
        self.base.reduction = self.reduction
        loss = self.base(x, y)
        output, self._output = self._output, None
        if output is None or not x.requires_grad:
            return loss
        if y.ndim != 1:
            raise ValueError(
                "ModalityRegularizedLoss requires one class per sample, got targets of shape "
                f"{tuple(y.shape)}: remove augmentations that mix samples (MixUp, CutMix)."
            )
        weight = self.weight * min(1.0, self._iteration / self.warmup if self.warmup else 1.0)
        with torch.set_grad_enabled(weight > 0):
            embeddings = self._embeddings(output)
            mask = self._pairs(y)
            distance = modality_distance(embeddings, mask, self.distance, relative=self.relative)
        if weight and self.balance:
            weight *= _gradient_ratio(loss.mean(), distance, output)
        self._record(embeddings.detach(), y, mask, distance.item(), weight)
        return loss + weight * distance if weight else loss

    def _embeddings(self, output: torch.Tensor) -> torch.Tensor:
        maps = output.flatten(2) if output.ndim > 2 else output[..., None]
        return maps.mean(dim=2) if self.average else maps.flatten(1)

    def _pairs(self, y: torch.Tensor) -> torch.Tensor:
        indices = self._loader.indices
        groups = None if self._groups is None else self._groups[indices].to(y.device)
        return pair_mask(y, self._modalities[indices].to(y.device), groups)

    def _record(
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

    def _capture(self, module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        if module.training and torch.is_grad_enabled():
            self._output = output

    def cb_on_train_begin(self, trainer: "ModularTaskTrainer") -> None:
        """Capture the outputs of the layer and register the callbacks of the base and the table.

        Raises:
            ValueError: If the model has no such layer.
        """
        from autrainer_ext.callbacks.modality_table import ModalityTable

        layers = dict(trainer.model.named_modules())
        if not self.layer or self.layer not in layers:
            outer = [name for name in layers if name and name.count(".") < 2]
            raise unknown_name("layer", self.layer, outer, where="the model")
        self._hook = layers[self.layer].register_forward_hook(self._capture)
        # callbacks registered here are called from this event on
        self._table = ModalityTable(self._rows)
        for callback in (self.base, self._table):
            register_callback(trainer, callback)

    def cb_on_iteration_begin(self, trainer: "ModularTaskTrainer", iteration: int) -> None:
        """Wrap the training loader to record sample indices; a curriculum may have replaced it."""
        if not isinstance(trainer.train_loader, _WatchedLoader):
            trainer.train_loader = _WatchedLoader(trainer.train_loader)
        self._loader = trainer.train_loader

    def cb_on_step_begin(
        self, trainer: "ModularTaskTrainer", iteration: int, batch_idx: int
    ) -> None:
        """Store the iteration, which determines the weight during warm-up."""
        self._iteration = iteration

    def cb_on_train_end(self, trainer: "ModularTaskTrainer") -> None:
        """Remove the forward hook."""
        super().cb_on_train_end(trainer)
        self._hook.remove()


class _WatchedLoader:
    """Training loader that stores the sample indices of the last batch."""

    def __init__(self, loader: "DataLoader") -> None:
        self._loader = loader
        self.indices: torch.Tensor | None = None

    def __iter__(self) -> Iterator[list]:
        for batch in self._loader:
            self.indices = unpack(batch)[2]
            yield batch

    def __len__(self) -> int:
        return len(self._loader)

    def __deepcopy__(self, memo: dict) -> "_WatchedLoader":
        return self  # a copy of the network has a copy of its hook, and with it of the criterion

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)


def _gradient_ratio(loss: torch.Tensor, distance: torch.Tensor, output: torch.Tensor) -> float:
    """||d loss / d output|| / ||d distance / d output||; 0 if the denominator is 0."""
    of_loss, of_distance = (
        torch.autograd.grad(term, output, retain_graph=True)[0].norm() for term in (loss, distance)
    )
    return (of_loss / of_distance).item() if of_distance > 0 else 0.0
