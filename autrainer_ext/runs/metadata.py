"""Tables of the data splits of a run: file name and labels of each sample."""

from typing import TYPE_CHECKING

from .run import Run

if TYPE_CHECKING:
    import pandas as pd


def read_metadata(run: Run, split: str) -> "pd.DataFrame":
    """Read the table of a split as it was during training.

    The callback `CleanOutputs` saves the tables in the run. Without them the data set is built
    again, which imports the training code of the host and needs the data. Relative paths of the
    data set start at the working directory, which must be the one the run was trained from.

    Args:
        run: The run.
        split: "train", "dev" or "test".

    Returns:
        One row per sample in the order of the split; target classes are text.

    Raises:
        ValueError: If the run has no saved tables and its data set cannot be built.
    """
    import pandas as pd

    path = run.path / "_metadata" / f"{split}.csv"
    if path.is_file():
        column = run.config["dataset"]["target_column"]
        try:
            return pd.read_csv(path, dtype={column: str})
        except Exception as error:  # pandas and its parsers raise many kinds
            raise ValueError(f"Table '{path}' is damaged: {error}") from error
    from .load import load_data

    try:
        return getattr(load_data(run), f"df_{split}")
    except Exception as error:  # a data set of the user may raise anything
        reason = getattr(error, "__cause__", None) or error
        raise ValueError(
            f"Run '{run.name}' saved no table of its {split} split (train with the callback "
            f"autrainer_ext.callbacks.CleanOutputs), and its data set cannot be built: {reason}"
        ) from error
