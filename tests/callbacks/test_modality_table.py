from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from autrainer_ext.callbacks.modality_table import ModalityTable


class Bookkeeping:
    """Save tables as the host does."""

    def __init__(self, folder):
        self.folder = folder

    def save_results_df(self, table, filename, path=""):
        (self.folder / path).mkdir(exist_ok=True)
        table.to_csv(self.folder / path / filename, index=False)


def trainer_in(folder):
    return SimpleNamespace(
        cfg=SimpleNamespace(training_type="epoch"),
        output_directory=Path(folder),
        bookkeeping=Bookkeeping(folder),
    )


def batch(pairs, distance):
    return {"pairs": pairs, "distance": distance, "weight": 0.5, "between_class_variance": 2.0}


def test_rows_are_means_over_the_batches_since_the_last_evaluation(tmp_path):
    batches, trainer = [], trainer_in(tmp_path)
    table = ModalityTable(batches)
    batches += [batch(2, 1.0), batch(0, np.nan), batch(4, 2.0)]
    table.cb_on_iteration_end(trainer, 2, {})
    batches += [batch(1, 8.0)]
    table.cb_on_iteration_end(trainer, 10, {})
    table.cb_on_train_end(trainer)
    expected = pd.DataFrame(
        {
            "iteration": [2, 10],
            "pairs": [2.0, 1.0],
            "distance": [1.5, 8.0],  # the batch without a pair has no distance
            "weight": 0.5,
            "between_class_variance": 2.0,
        }
    )
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "modality.csv"), expected)
    saved = pd.read_csv(tmp_path / "epoch_2/modality.csv")
    pd.testing.assert_frame_equal(saved, expected.iloc[:1])


def test_rows_before_a_continued_training_are_kept(tmp_path):
    for iteration in (1, 2):  # a new criterion, and so a new table, for each training
        table = ModalityTable([batch(iteration, 1.0)])
        table.cb_on_iteration_end(trainer_in(tmp_path), iteration, {})
        table.cb_on_train_end(trainer_in(tmp_path))
    assert pd.read_csv(tmp_path / "modality.csv")["iteration"].tolist() == [1, 2]
