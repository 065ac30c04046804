"""Table of the modality regulariser, with one row per evaluation."""

from typing import TYPE_CHECKING

import pandas as pd

from autrainer_ext.compat import CallbackMixin

if TYPE_CHECKING:
    from autrainer.training import ModularTaskTrainer

_FILE = "modality.csv"


class ModalityTable(CallbackMixin):
    """Callback that writes the values recorded in training to `modality.csv`.

    `ModalityRegularizedLoss` registers it when training begins.

    Args:
        batches: Recorded values of every batch, a list that the criterion appends to. It is
            emptied after every evaluation.
    """

    def __init__(self, batches: list[dict[str, float]]) -> None:
        super().__init__()
        self.batches = batches

    def cb_on_iteration_end(
        self, trainer: "ModularTaskTrainer", iteration: int, metrics: dict
    ) -> None:
        """Write the means over the batches since the last evaluation to the iteration's folder."""
        row = pd.DataFrame(self.batches).mean().to_frame().T
        row.insert(0, "iteration", iteration)
        folder = f"{trainer.cfg.training_type}_{iteration}"
        trainer.bookkeeping.save_results_df(row, _FILE, folder)
        self.batches.clear()

    def cb_on_train_end(self, trainer: "ModularTaskTrainer") -> None:
        """Gather the rows of all evaluations, including those before a continued training."""
        super().cb_on_train_end(trainer)
        saved = trainer.output_directory.glob(f"{trainer.cfg.training_type}_*/{_FILE}")
        rows = pd.concat([pd.read_csv(path) for path in saved])
        trainer.bookkeeping.save_results_df(rows.sort_values("iteration"), _FILE)
