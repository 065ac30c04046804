"""Read a confusion matrix from a table with or without class names."""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np

_SUMS = ("all", "total", "sum")
_TOO_MANY = 2**53  # larger whole numbers are not exact


def read_table(path: Path, class_names: list[str] | None = None) -> tuple[np.ndarray, str]:
    """Read a confusion matrix from a table with or without header and index column.

    The first row or column is read as class names if the rest is square with at least two classes,
    and the row or column contains no numbers, is numbered 0, 1, ... or 1, 2, ..., or contains
    numbers that cannot be counts: increasing ones in a header without an index column, or the same
    in both. Sums in a last row and column called "All", "Total" or "Sum" are left out.

    Args:
        path: Table with cells separated by commas, semicolons or tabs.
        class_names: Class names, if they are known.

    Returns:
        Counts, shape (C, C), and the detected format, such as "header, no index column".

    Raises:
        ValueError: If the file cannot be read, does not contain a square matrix of counts, or names
            other classes than `class_names`; the message names the file and the cell.
    """
    rows = _read_cells(path)
    has_header, has_index = _detect_names(path, rows)
    first_row, first_column = int(has_header), int(has_index)
    header = rows[0][first_column:] if has_header else None
    index = [row[0] for row in rows[first_row:]] if has_index else None
    body = [row[first_column:] for row in rows[first_row:]]
    names = _class_names(path, header, index)
    form = f"{'header' if has_header else 'no header'}, {'' if has_index else 'no '}index column"
    values = np.array(
        [
            [_number(path, cell, i, j, names or class_names) for j, cell in enumerate(row)]
            for i, row in enumerate(body)
        ],
        dtype=object,
    )
    if _has_sums(values):
        if not names or names[-1].lower() not in _SUMS:
            raise ValueError(
                f"File '{path}': the last row and column are the sums of the others: leave them "
                "out, or call both 'All'."
            )
        values, names, form = values[:-1, :-1], names[:-1], f"{form}, without '{names[-1]}'"
    if names and class_names and len(names) == len(class_names) and not _counts_up(names):
        for number, (own, given) in enumerate(zip(names, class_names, strict=True), start=1):
            if own != given:
                raise ValueError(
                    f"File '{path}': class {number} is '{own}', but the given class names say "
                    f"'{given}'."
                )
    return check_cells(path, values, class_names, names), form


def _class_names(path: Path, header: list[str] | None, index: list[str] | None) -> list[str] | None:
    """Class names of a table: those of the index column, else of the header; text, if any is."""
    for kind, names in (("column", header), ("row", index)):
        twice = [name for name in names or [] if (names or []).count(name) > 1]
        if twice:
            raise ValueError(f"File '{path}': two {kind}s are called '{twice[0]}'.")
    if header and index and not _counts_up(header) and not _counts_up(index):
        for number, (column, row) in enumerate(zip(header, index, strict=True), start=1):
            if column != row:
                raise ValueError(
                    f"File '{path}': column {number} is '{column}', but row {number} is '{row}': "
                    "both must list the classes in the same order."
                )
    given = [names for names in (index, header) if names]
    return next((names for names in given if not _counts_up(names)), given[0] if given else None)


def _has_sums(values: np.ndarray) -> bool:
    """Whether the last row and column are the sums of the others."""
    inner = values[:-1, :-1]
    return bool(
        len(values) > 2
        and inner.sum() > 0
        and (values[-1, :-1] == inner.sum(axis=0)).all()
        and (values[:-1, -1] == inner.sum(axis=1)).all()
        and values[-1, -1] == inner.sum()
    )


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
        if n_rows - has_header != n_columns - has_index or n_columns - has_index < 2:
            continue
        if has_header and has_index:
            is_named = not _is_number(rows[0][0]) and (
                (_are_names(header) and _are_names(index)) or header == index
            )
        elif has_header:  # more rows than columns: counts alone would not be square
            is_named = _are_names(header) or _increases(header)
        else:
            is_named = _are_names(index)
        if is_named:
            return has_header, has_index
    if n_rows != n_columns:
        raise ValueError(
            f"File '{path}' is not square: it has {n_rows} rows and {n_columns} columns."
        )
    return False, False


def _are_names(cells: list[str]) -> bool:
    return _counts_up(cells) or not any(cell == "" or _is_number(cell) for cell in cells)


def _increases(cells: list[str]) -> bool:
    """Whether all cells are numbers, each larger than the one before."""
    if not all(_is_number(cell) for cell in cells):
        return False
    numbers = [float(cell) for cell in cells]
    return all(one < other for one, other in pairwise(numbers))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _counts_up(cells: list[str]) -> bool:
    return any(cells == [str(start + i) for i in range(len(cells))] for start in (0, 1))


def _number(path: Path, cell: str, row: int, column: int, names: list[str] | None) -> float | int:
    if not cell:
        raise ValueError(f"File '{path}': {_place(row, column, names)} is empty.")
    try:
        return int(cell) if cell.isdecimal() else float(cell)
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
        ValueError: If the matrix has another number of classes, a value is missing, negative, not a
            whole number or too large, or all values are zero.
    """
    if class_names is not None and len(class_names) != len(values):
        raise ValueError(
            f"File '{path}' has {len(values)} classes, but there are {len(class_names)} class "
            "names."
        )
    names = own_names or class_names
    values = np.array(values, dtype=np.float64)
    for reason, is_wrong in (
        ("which is not finite", ~np.isfinite(values)),
        ("which is negative", values < 0),
        ("which is not a whole number (counts are needed, not shares)", values != np.floor(values)),
    ):
        if is_wrong.any():
            row, column = np.argwhere(is_wrong)[0]
            raise ValueError(
                f"File '{path}': {_place(row, column, names)} is {values[row, column]:g}, {reason}."
            )
    if values.sum() >= _TOO_MANY:
        row, column = np.unravel_index(values.argmax(), values.shape)
        raise ValueError(
            f"File '{path}' contains {values.sum():.3g} samples, most in "
            f"{_place(int(row), int(column), names)}: counts must add up to less than 2^53."
        )
    if not values.any():
        raise ValueError(f"File '{path}' contains no samples: all counts are zero.")
    return values.astype(np.int64)


def _place(row: int, column: int, names: list[str] | None) -> str:
    where = f"row {row + 1}, column {column + 1}"
    if names is None or max(row, column) >= len(names):
        return where
    return f"{where} ('{names[row]}' predicted as '{names[column]}')"
