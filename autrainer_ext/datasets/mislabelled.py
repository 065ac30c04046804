"""Data sets with planted mislabels, on which methods that find wrong labels are validated."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from autrainer_ext.errors import unknown_name

from .fsdd import FSDD

TRUE_LABEL = "true_label"
N_FOLDS = 5


class MislabelledFSDD(FSDD):
    """Free Spoken Digit Dataset with planted mislabels in the training and dev splits.

    The five dev folds (every fifth take) contain every recording of the training speakers once.
    Runs over all folds thus have outputs for every recording from a network that was not trained
    on it. The test split keeps its labels. The column `true_label` holds the original digit.

    Args:
        test_speakers: See `FSDD`; at least one.
        dev_fold: Takes of the dev split: those whose number has this remainder on division by 5.
        share: Share of the recordings whose label is replaced, in [0, 1).
        similar: Digit that replaces each digit. Default: any other digit, drawn uniformly.
        label_seed: Seed of the draw. The same seed plants the same mislabels in every fold.
        **kwargs: Arguments of `FSDD` except `dev_speakers`.

    Raises:
        ValueError: If `share` or `dev_fold` is out of range, there is no test speaker, or a digit
            of `similar` does not exist or replaces itself; see also `FSDD`.
    """

    def __init__(
        self,
        test_speakers: list[str],
        dev_fold: int = 0,
        share: float = 0.05,
        similar: Mapping[str, str] | None = None,
        label_seed: int = 0,
        **kwargs: Any,  # noqa: ANN401  passed on
    ) -> None:
        if not 0 <= dev_fold < N_FOLDS:
            raise ValueError(f"Argument 'dev_fold' must be 0 to {N_FOLDS - 1}, got {dev_fold}.")
        if not test_speakers:
            raise ValueError("Argument 'test_speakers' must name at least one speaker.")
        self.dev_fold = dev_fold
        self.share = share
        self.similar = None if similar is None else {str(k): str(v) for k, v in similar.items()}
        self.label_seed = label_seed
        super().__init__(test_speakers, **kwargs)

    def load_dataframes(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Split `fsdd.csv` by speakers and takes, and replace labels of train and dev."""
        *splits, test = super().load_dataframes()
        table = plant_mislabels(
            pd.concat(splits).sort_index(),
            self.target_column,
            self.share,
            similar=self.similar,
            seed=self.label_seed,
        )
        is_dev = table["take"] % N_FOLDS == self.dev_fold
        return table[~is_dev], table[is_dev], test.assign(**{TRUE_LABEL: test[self.target_column]})


def plant_mislabels(
    table: pd.DataFrame,
    label: str,
    share: float,
    *,
    similar: Mapping[str, str] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Replace the labels of randomly drawn rows by wrong ones.

    Args:
        table: Table with the column `label`.
        label: Column of the class names.
        share: Share of the rows to relabel, in [0, 1); the number of rows is rounded.
        similar: Class that replaces each class. Default: any other class, drawn uniformly.
        seed: Seed of the draw.

    Returns:
        The table with new labels, and the old ones in the column `true_label`.

    Raises:
        ValueError: If `share` is out of range, there is a single class, or `similar` lacks a class,
            names an unknown one or replaces a class by itself.

    Example:
        >>> table = pd.DataFrame({"digit": ["1", "9", "1", "9"]})
        >>> planted = plant_mislabels(table, "digit", 0.5, similar={"1": "9", "9": "1"})
        >>> int((planted["digit"] != planted["true_label"]).sum())
        2
    """
    if not 0 <= share < 1:
        raise ValueError(f"Argument 'share' must be in [0, 1), got {share}.")
    classes = sorted(table[label].unique())
    if len(classes) < 2:
        raise ValueError(f"Mislabels require at least two classes, got {classes}.")
    if similar is not None:
        for name in (*classes, *similar, *similar.values()):
            if name not in classes or name not in similar:
                raise unknown_name("class of 'similar'", name, classes)
            if similar[name] == name:
                raise ValueError(f"Argument 'similar' replaces class '{name}' by itself.")
    generator = np.random.default_rng(seed)
    rows = generator.choice(len(table), size=round(share * len(table)), replace=False)
    labels = table[label].to_numpy(copy=True)
    truth = labels.copy()
    # a shift by 1 to C - 1 classes never returns to the same class
    shifts = generator.integers(1, len(classes), size=len(rows))
    for row, shift in zip(rows, shifts, strict=True):
        old = truth[row]
        labels[row] = (
            similar[old]
            if similar is not None
            else classes[(classes.index(old) + shift) % len(classes)]
        )
    return table.assign(**{label: labels, TRUE_LABEL: truth})
