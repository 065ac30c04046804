"""Read a confusion matrix from a table with or without class names."""

import csv
from pathlib import Path

import numpy as np


def read_table(path: Path, class_names: list[str] | None = None) -> tuple[np.ndarray, str]:
    """Read a confusion matrix from a table with or without header and index column.

    The first row or column is read as class names if the rest is square with at least two classes,
    and the row or column contains no numbers or is numbered 0, 1, ... or 1, 2, ...

    Args:
        path: Table with cells separated by commas, semicolons or tabs.
        class_names: Class names, if they are known.

    Returns:
        Counts, shape (C, C), and the detected format, such as "header, no index column".

    Raises:
        ValueError: If the file cannot be read or does not contain a square matrix of counts; the
            message names the file and the cell.
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
                    f"File '{path}': column {number} is '{column}', but row {number} is '{row}': "
                    "both must list the classes in the same order."
                )
    body = [row[first_column:] for row in rows[first_row:]]
    values = np.array(
        [
            [
                _number(path, cell, i, j, class_names or index or header)
                for j, cell in enumerate(row)
            ]
            for i, row in enumerate(body)
        ]
    )
    counts = check_cells(path, values, class_names, index or header)
    found = f"{'header' if has_header else 'no header'}, {'' if has_index else 'no '}index column"
    return counts, found


def _read_cells(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"File '{path}' cannot be read as text.") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"File '{path}' is empty.")
    delimiter = max(",;\t", key=lines[-1].count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    for number, row in enumerate(rows):
        # the header may lack the cell above the index column
        if len(row) != len(rows[-1]) and not (number == 0 and len(row) == len(rows[-1]) - 1):
            raise ValueError(
                f"File '{path}': row {number + 1} has {len(row)} cells, the last row "
                f"{len(rows[-1])}."
            )
    if len(rows[0]) < len(rows[-1]):
        rows[0].insert(0, "")
    return rows


def _detect_names(path: Path, rows: list[list[str]]) -> tuple[bool, bool]:
    """Whether the first row and the first column contain class names."""
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
        raise ValueError(
            f"File '{path}' is not square: it has {n_rows} rows and {n_columns} columns."
        )
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
        raise ValueError(f"File '{path}': {_place(row, column, names)} is empty.")
    try:
        return float(cell)
    except ValueError:
        raise ValueError(
            f"File '{path}': {_place(row, column, names)} is '{cell}', which is not a number."
        ) from None


def check_cells(
    path: Path | str,
    values: np.ndarray,
    class_names: list[str] | None,
    own_names: list[str] | None = None,
) -> np.ndarray:
    """Check that a confusion matrix contains counts.

    Args:
        path: Name of the matrix for error messages.
        values: Square matrix.
        class_names: Expected class names, if they are known.
        own_names: Class names of the file, for error messages.

    Returns:
        The values as integers.

    Raises:
        ValueError: If the matrix has another number of classes, a value is missing, negative or
            not a whole number, or all values are zero.
    """
    if class_names is not None and len(class_names) != len(values):
        raise ValueError(
            f"File '{path}' has {len(values)} classes, but there are {len(class_names)} class "
            "names."
        )
    for reason, is_wrong in (
        ("which is not finite", ~np.isfinite(values)),
        ("which is negative", values < 0),
        ("which is not a whole number (counts are needed, not shares)", values != np.floor(values)),
    ):
        if is_wrong.any():
            row, column = np.argwhere(is_wrong)[0]
            raise ValueError(
                f"File '{path}': {_place(row, column, class_names or own_names)} is "
                f"{values[row, column]:g}, {reason}."
            )
    if not values.any():
        raise ValueError(f"File '{path}' contains no samples: all counts are zero.")
    return values.astype(np.int64)


def _place(row: int, column: int, names: list[str] | None) -> str:
    where = f"row {row + 1}, column {column + 1}"
    if names is None or max(row, column) >= len(names):
        return where
    return f"{where} ('{names[row]}' predicted as '{names[column]}')"
