"""Features on disk: which ones a killed `preprocess` left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def unfinished_features(dataset: Mapping[str, Any]) -> list[str]:
    """List the recordings of a data set whose features are missing or truncated.

    The host's `preprocess` takes every existing folder of features for complete.

    Args:
        dataset: Configuration of a data set of the host.

    Returns:
        Names of the recordings as in the tables; none if the folder of the features or of the data
        set does not exist, since `preprocess` or `fetch` then start from the beginning.
    """
    root = Path(dataset["path"])
    folder = root / dataset["features_subdir"]
    if not folder.is_dir():
        return []
    tables = [pd.read_csv(path) for path in sorted(root.glob("*.csv"))]
    column = dataset["index_column"]
    names = [name for table in tables if column in table for name in table[column].dropna()]
    return [
        name
        for name in dict.fromkeys(map(str, names))
        if not _is_whole(feature_path(dataset, name))
    ]


def feature_path(dataset: Mapping[str, Any], name: str) -> Path:
    """Path of the features of a recording, as the host chooses it.

    Args:
        dataset: Configuration of a data set of the host.
        name: Name of the recording as in the tables.
    """
    path = Path(dataset["path"], dataset["features_subdir"], name)
    return path.with_suffix("." + dataset["file_type"])


def _is_whole(path: Path) -> bool:
    if path.suffix != ".npy":
        return path.is_file() and path.stat().st_size > 0
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)  # compares the size with the header
    except (OSError, ValueError, EOFError):
        return False
    return True
