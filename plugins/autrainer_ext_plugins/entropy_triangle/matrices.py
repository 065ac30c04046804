"""Confusion matrices of the user's own: tables, stacks of arrays, and folders of them."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .tables import ConfusionMatrix

_EPOCH = re.compile(r"cm_epoch_(\d+)\.csv")
_FOLD = re.compile(r"fold_(\w+)")
LAYOUT = "LOSS/fold_K/SPLIT/cm_epoch_E.csv"


def read_matrices(path: Path, labels: list[str] | None = None) -> tuple[list[ConfusionMatrix], str]:
    """Read what a path holds: a `.csv` table, an `.npy` array, or a folder of tables.

    Args:
        path: File or folder. The last dimension but two of an array counts iterations, from 1;
            dimensions before it count runs. A folder holds `LOSS/fold_K/SPLIT/cm_epoch_E.csv`, or
            is itself such a LOSS.
        labels: Names of the classes, if they are known.

    Returns:
        The matrices, and in words what they were taken for.

    Raises:
        ValueError: If there is nothing to read, or a matrix is not one of counts; the message
            names the file and the cell.
    """
    if path.is_dir():
        return _read_folder(path, labels)
    if not path.is_file():
        raise ValueError(f"'{path}' does not exist.")
    if path.suffix.lower() == ".npy":
        return _read_array(path, labels)
    if path.suffix.lower() != ".csv":
        raise ValueError(f"'{path}' is neither .csv nor .npy nor a folder.")
    counts, form = read_table(path, labels)
    name = str(path.with_suffix(""))
    return [ConfusionMatrix(counts, name, name, path.stem, "", "", 1)], form


def read_table(path: Path, labels: list[str] | None = None) -> tuple[np.ndarray, str]:
    """Read a matrix from a table with or without a header and a column of names.

    A first row or column is taken for names of the classes if what is left is square, with two
    classes or more, and it holds no number, or counts 0, 1, ... or 1, 2, ...

    Args:
        path: Table, its cells separated by commas, semicolons or tabs.
        labels: Names of the classes, if they are known.

    Returns:
        Counts, shape (C, C), and what was detected, such as "header, no index column".

    Raises:
        ValueError: As `read_matrices`.
    """
    rows = _read_cells(path)
    has_header, has_index = _detect_names(path, rows)
    first_row, first_column = int(has_header), int(has_index)
    header = rows[0][first_column:] if has_header else None
    index = [row[0] for row in rows[first_row:]] if has_index else None
    if header and index and not _counts_up(header) and not _counts_up(index):
        for number, (column, row) in enumerate(zip(header, index, strict=True), start=1):
            if column != row:
                raise ValueError(
                    f"'{path}': column {number} is '{column}', but row {number} is '{row}': both "
                    "must name the classes in one order."
                )
    body = [row[first_column:] for row in rows[first_row:]]
    values = np.array(
        [
            [_number(path, cell, i, j, labels or index or header) for j, cell in enumerate(row)]
            for i, row in enumerate(body)
        ]
    )
    counts = _check_matrix(path, values, labels, index or header)
    found = f"{'header' if has_header else 'no header'}, {'' if has_index else 'no '}index column"
    return counts, found


def _read_cells(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' cannot be read as text.") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"'{path}' is empty.")
    delimiter = max(",;\t", key=lines[-1].count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    for number, row in enumerate(rows):
        # a header may lack the corner above the column of names
        if len(row) != len(rows[-1]) and not (number == 0 and len(row) == len(rows[-1]) - 1):
            raise ValueError(
                f"'{path}': row {number + 1} has {len(row)} cells, the last row {len(rows[-1])}."
            )
    if len(rows[0]) < len(rows[-1]):
        rows[0].insert(0, "")
    return rows


def _detect_names(path: Path, rows: list[list[str]]) -> tuple[bool, bool]:
    """Whether the first row and the first column are names."""
    n_rows, n_columns = len(rows), len(rows[0])
    for has_header, has_index in ((True, True), (True, False), (False, True)):
        header, index = rows[0][has_index:], [row[0] for row in rows[has_header:]]
        if (
            n_rows - has_header == n_columns - has_index > 1
            and (not has_header or _are_names(header))
            and (not has_index or _are_names(index))
            and not (has_header and has_index and _is_number(rows[0][0]))
        ):
            return has_header, has_index
    if n_rows != n_columns:
        raise ValueError(f"'{path}' is not square: it has {n_rows} rows and {n_columns} columns.")
    return False, False


def _are_names(cells: list[str]) -> bool:
    return _counts_up(cells) or not any(cell == "" or _is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _counts_up(cells: list[str]) -> bool:
    return any(cells == [str(start + i) for i in range(len(cells))] for start in (0, 1))


def _number(path: Path, cell: str, row: int, column: int, names: list[str] | None) -> float:
    if not cell:
        raise ValueError(f"'{path}': {_place(row, column, names)} is empty.")
    try:
        return float(cell)
    except ValueError:
        raise ValueError(
            f"'{path}': {_place(row, column, names)} is '{cell}', which is no number."
        ) from None


def _check_matrix(
    path: Path, values: np.ndarray, labels: list[str] | None, names: list[str] | None = None
) -> np.ndarray:
    """The values as counts.

    Raises:
        ValueError: If one is missing, negative or not whole, or all are zero.
    """
    if labels is not None and len(labels) != len(values):
        raise ValueError(f"'{path}' has {len(values)} classes, but there are {len(labels)} labels.")
    for reason, is_wrong in (
        ("which is not finite", ~np.isfinite(values)),
        ("which is negative", values < 0),
        ("which is no whole number (counts are needed, not shares)", values != np.floor(values)),
    ):
        if is_wrong.any():
            row, column = np.argwhere(is_wrong)[0]
            raise ValueError(
                f"'{path}': {_place(row, column, labels or names)} is {values[row, column]:g}, "
                f"{reason}."
            )
    if not values.any():
        raise ValueError(f"'{path}' holds no samples: all counts are zero.")
    return values.astype(np.int64)


def _place(row: int, column: int, names: list[str] | None) -> str:
    where = f"row {row + 1}, column {column + 1}"
    if names is None or max(row, column) >= len(names):
        return where
    return f"{where} ('{names[row]}' predicted as '{names[column]}')"


def _read_array(path: Path, labels: list[str] | None) -> tuple[list[ConfusionMatrix], str]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"'{path}' is not a whole array file of numbers.") from error
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(f"'{path}' holds no numbers but {array.dtype}.")
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ValueError(f"'{path}' is not square: its shape is {array.shape}.")
    if not array.size:
        raise ValueError(f"'{path}' is empty: its shape is {array.shape}.")
    name, confusions = str(path.with_suffix("")), []
    for place in np.ndindex(array.shape[:-2]):
        at = f"{path}[{', '.join(map(str, place))}]" if place else path
        counts = _check_matrix(at, array[place].astype(np.float64), labels)
        run = name + "".join(f"_{number}" for number in place[:-1])
        iteration = place[-1] + 1 if place else 1
        confusions.append(ConfusionMatrix(counts, run, run, Path(run).name, "", "", iteration))
    return confusions, f"array of shape {array.shape}"


def _read_folder(path: Path, labels: list[str] | None) -> tuple[list[ConfusionMatrix], str]:
    confusions, forms = [], []
    for loss, fold, split, epoch, file in sorted(_walk(path)):
        counts, form = read_table(file, labels)
        forms.append(form)
        confusions.append(
            ConfusionMatrix(counts, f"{loss}/fold_{fold}", loss, loss, fold, split, epoch)
        )
    if not confusions:
        raise ValueError(f"'{path}' holds no {LAYOUT}.")
    kinds = "; ".join(f"{forms.count(form)} with {form}" for form in sorted(set(forms)))
    return confusions, f"{len(forms)} tables, {kinds}"


def _walk(path: Path) -> Iterator[tuple[str, str, str, int, Path]]:
    """Loss, fold, split, epoch and file of every table in the layout."""
    for file in path.resolve().glob("**/fold_*/*/cm_epoch_*.csv"):
        epoch, fold = _EPOCH.fullmatch(file.name), _FOLD.fullmatch(file.parents[1].name)
        if epoch and fold:
            yield file.parents[2].name, fold[1], file.parent.name, int(epoch[1]), file
