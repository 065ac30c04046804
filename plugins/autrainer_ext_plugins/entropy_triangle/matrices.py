"""Read confusion matrices from tables, arrays and folders of tables."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .matrix_table import check_cells, read_table
from .tables import ConfusionMatrix

_EPOCH = re.compile(r"cm_epoch_(\d+)\.csv")
_FOLD = re.compile(r"fold_(\w+)")
_LAYOUT = "LOSS/fold_K/SPLIT/cm_epoch_E.csv"


def read_matrices(
    path: Path, class_names: list[str] | None = None
) -> tuple[list[ConfusionMatrix], str]:
    """Read confusion matrices from a `.csv` table, an `.npy` array or a folder of tables.

    Args:
        path: File or folder. Arrays have shape (..., iterations, C, C); iterations are counted
            from 1, and the dimensions before them are runs. Folders contain tables
            `LOSS/fold_K/SPLIT/cm_epoch_E.csv`; `path` may also be one of the LOSS folders.
        class_names: Class names, if they are known.

    Returns:
        Confusion matrices and a description of the detected format.

    Raises:
        ValueError: If the path cannot be read or a matrix does not contain counts; the message
            names the file and the cell.
    """
    if path.is_dir():
        return _read_folder(path, class_names)
    if not path.is_file():
        raise ValueError(f"File or folder '{path}' does not exist.")
    if path.suffix.lower() == ".npy":
        return _read_array(path, class_names)
    if path.suffix.lower() != ".csv":
        raise ValueError(f"File '{path}' must be a .csv or .npy file or a folder.")
    counts, form = read_table(path, class_names)
    name = str(path.with_suffix(""))
    return [ConfusionMatrix(counts, name, name, path.stem, "", "", 1)], form


def _read_array(path: Path, class_names: list[str] | None) -> tuple[list[ConfusionMatrix], str]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"File '{path}' is truncated or not a valid .npy file.") from error
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(f"File '{path}' must contain numbers, got {array.dtype}.")
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ValueError(f"File '{path}' must contain square matrices, got shape {array.shape}.")
    if not array.size:
        raise ValueError(f"File '{path}' is empty: its shape is {array.shape}.")
    name, confusions = str(path.with_suffix("")), []
    for place in np.ndindex(array.shape[:-2]):
        at = f"{path}[{', '.join(map(str, place))}]" if place else str(path)
        counts = check_cells(at, array[place], class_names)
        run = name + "".join(f"_{number}" for number in place[:-1])
        iteration = place[-1] + 1 if place else 1
        confusions.append(ConfusionMatrix(counts, run, run, Path(run).name, "", "", iteration))
    return confusions, f"array of shape {array.shape}"


def _read_folder(path: Path, class_names: list[str] | None) -> tuple[list[ConfusionMatrix], str]:
    confusions: list[ConfusionMatrix] = []
    forms: list[str] = []
    for loss, fold, split, epoch, file in sorted(_walk(path)):
        counts, form = read_table(file, class_names)
        forms.append(form)
        confusions.append(
            ConfusionMatrix(counts, f"{loss}/fold_{fold}", loss, loss, fold, split, epoch)
        )
    if not confusions:
        raise ValueError(f"Folder '{path}' contains no tables {_LAYOUT}.")
    kinds = "; ".join(f"{forms.count(form)} with {form}" for form in sorted(set(forms)))
    return confusions, f"{len(forms)} tables, {kinds}"


def _walk(path: Path) -> Iterator[tuple[str, str, str, int, Path]]:
    """Loss, fold, split, epoch and file of each table in the folder layout.

    The name of a loss contains the folders above it, up to `path`: those of several models.
    """
    root = path.resolve()
    for file in root.glob("**/fold_*/*/cm_epoch_*.csv"):
        epoch, fold = _EPOCH.fullmatch(file.name), _FOLD.fullmatch(file.parents[1].name)
        if epoch and fold:
            loss = file.parents[2].relative_to(root).as_posix()
            loss = root.name if loss == "." else loss
            yield loss, fold[1], file.parent.name, int(epoch[1]), file
