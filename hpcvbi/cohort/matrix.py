"""One matrix of numbers from a text table or a NumPy file that nobody has vouched for.

The size of the file and, of NumPy files, the header are checked before any number is read; pickles
are never loaded.
"""

import math
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np

from hpcvbi.core.errors import DataError

LARGEST = 2**29
"""Bytes of the largest file, and of the largest array, that is read."""


def read_matrix(path: Path) -> np.ndarray:
    """Return the matrix in `path`, float64 (row, column).

    Raises
    ------
    DataError
        Not readable, too large, not rectangular, or not numbers; it names the file and the row.
    """
    try:
        return READERS[path.suffix](path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def read_text(path: Path) -> str:
    """Return the text of `path`, UTF-8; DataError if it is too large or no text."""
    if (size := path.stat().st_size) > LARGEST:
        raise DataError(f"{path} has {size} bytes; tables of more than {LARGEST} are not read")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text (byte {error.start})") from error


def _read_table(path: Path, separator: str | None) -> np.ndarray:
    rows: list[np.ndarray] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row = _read_row(f"{path}, line {number}", line.split(separator))
        if rows and len(row) != len(rows[0]):
            raise DataError(f"{path}, line {number}: {len(row)} numbers, {len(rows[0])} above")
        rows.append(row)
    if not rows:
        raise DataError(f"{path} is empty")
    return np.array(rows)


def _read_row(where: str, cells: list[str]) -> np.ndarray:
    row = np.empty(len(cells))
    for column, cell in enumerate(cells):
        try:
            row[column] = float(cell)
        except ValueError:
            raise DataError(
                f"{where}, column {column + 1}: {cell.strip()[:40]!r} is no number; "
                f"tables hold numbers only, no header and no region names"
            ) from None
    return row


def _read_npy(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            if version not in _HEADERS:
                raise ValueError(f"format version {version}")
            shape, _, dtype = _HEADERS[version](file)
        except (ValueError, SyntaxError, TypeError, RecursionError, TokenError) as error:
            raise DataError(f"{path} is no NumPy file that can be read: {error}") from error
        stated = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "fiu":
            raise DataError(f"{path} holds {dtype}, not plain numbers; save it with np.save(float)")
        if len(shape) != 2 or min(shape) < 1:
            raise DataError(f"{path} must hold a matrix (row, column), its shape is {shape}")
        held = path.stat().st_size - file.tell()
        if stated > LARGEST or stated != held:
            raise DataError(
                f"{path} claims {stated} bytes of numbers and holds {held} (at most {LARGEST} are "
                f"read): it is damaged or forged"
            )
        file.seek(0)
        return np.load(file, allow_pickle=False).astype(float)


Header = tuple[tuple[int, ...], bool, np.dtype]
_HEADERS: dict[tuple[int, int], Callable[[BinaryIO], Header]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
READERS: dict[str, Callable[[Path], np.ndarray]] = {
    ".csv": lambda path: _read_table(path, ","),
    ".tsv": lambda path: _read_table(path, "\t"),
    ".txt": lambda path: _read_table(path, None),
    ".npy": _read_npy,
}
