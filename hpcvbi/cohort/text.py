"""Text of tables and names: UTF-8, line by line, no line and no table beyond the limits."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hpcvbi.cohort.limits import LARGEST_TEXT, LONGEST_LABEL, LONGEST_LINE, MOST_NUMBERS
from hpcvbi.cohort.recognise import opened
from hpcvbi.core.errors import DataError


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a small text that are not blank, each with its number, from 1.

    Raises
    ------
    DataError
        No UTF-8 text, or too large.
    """
    with opened(path, "", LARGEST_TEXT) as file:
        return [(n, line) for n, line in numbered_lines(file, str(path)) if line.strip()]


def numbered_lines(file: BinaryIO, where: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of every line."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig")
    number = 0
    try:
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise DataError(
                    f"{where}, line {number} has more than {LONGEST_LINE} characters: a table has "
                    f"one row per line"
                )
            yield number, line
    except UnicodeDecodeError:
        raise DataError(
            f"{where} is no UTF-8 text (after line {number}): save the table as plain text"
        ) from None
    finally:
        text.detach()  # the file is the caller's to close


def parse_table(file: BinaryIO, where: str, separator: str | None) -> np.ndarray:
    """Return the numbers of a text, (row, column); lines that begin with # are comments."""
    rows: list[np.ndarray] = []
    for number, line in numbered_lines(file, where):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row = _row(f"{where}, line {number}", line.split(separator))
        if rows and len(row) != len(rows[0]):
            raise DataError(f"{where}, line {number}: {len(row)} numbers, {len(rows[0])} above")
        rows.append(row)
        if len(rows) * len(row) > MOST_NUMBERS:
            raise DataError(f"{where} has more than the {MOST_NUMBERS} numbers that are read")
    if not rows:
        raise DataError(f"{where} is empty")
    return np.array(rows)


def number(cell: str) -> float:
    """Return the number in `cell`; ValueError for what only Python takes for one, such as 1_000."""
    if "_" in cell or not cell.isascii():
        raise ValueError(cell)
    return float(cell)


def _row(where: str, cells: list[str]) -> np.ndarray:
    row = np.empty(len(cells))
    for column, cell in enumerate(cells):
        try:
            row[column] = number(cell)
        except ValueError:
            raise DataError(
                f"{where}, column {column + 1}: {cell.strip()[:40]!r} is no number; "
                f"tables hold numbers only, no header and no region names"
            ) from None
    return row


def check_label(where: str, label: str) -> str:
    """Return the name of a region if it can be shown; DataError if not."""
    if not label.isprintable() or not 0 < len(label) <= LONGEST_LABEL:
        raise DataError(
            f"{where}: {label[:40]!r} cannot name a region: use 1 to {LONGEST_LABEL} printable "
            f"characters"
        )
    return label
