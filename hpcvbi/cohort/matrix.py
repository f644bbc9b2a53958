"""One matrix of numbers from a file that nobody has vouched for.

    .csv .tsv .txt   numbers between commas, tabs or blanks; no header row
    .npy             NumPy, one array
    .npz             NumPy, several arrays
    .mat             MATLAB up to version 7 (save -v7); not 7.3, which is HDF5

Of several arrays that one is read which is named after the file (`weights` in weights.mat), else
the only matrix; `SC.mat:sc` names one where a path may be written.

Header and sizes are checked against `cohort.limits` before memory is taken; pickles are never
loaded, objects never made; archives are read in place, member by member.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hpcvbi.cohort import matlab, npy
from hpcvbi.cohort.recognise import opened
from hpcvbi.cohort.text import parse_table
from hpcvbi.core.errors import DataError

_MEMBER = re.compile(r"(?P<file>.+\.(?:mat|npz)):(?P<name>[A-Za-z]\w{0,62})", re.ASCII)
Reader = Callable[[BinaryIO, Path, str | None], np.ndarray]


def read_matrix(path: Path) -> np.ndarray:
    """Return the matrix in `path`, float64 (row, column).

    Raises
    ------
    DataError
        Not readable, too large, of another kind, not rectangular, or not numbers; it names the
        file, the place in it, and what to do.
    """
    path, name = _named(path)
    kind, read = _READERS[path.suffix]
    with opened(path, kind) as file:
        return read(file, path, name)


def check_suffix(path: Path) -> None:
    """Raise DataError unless the name of `path` ends as that of a matrix."""
    if _named(path)[0].suffix not in READERS:
        raise DataError(
            f"{path} must end in {', '.join(READERS)}, or in .zip as a connectome of The Virtual "
            f"Brain"
        )


def _named(path: Path) -> tuple[Path, str | None]:
    found = _MEMBER.fullmatch(path.name)
    return (path.with_name(found["file"]), found["name"]) if found else (path, None)


def _text(separator: str | None) -> Reader:
    return lambda file, path, name: parse_table(file, str(path), separator)


_READERS: dict[str, tuple[str, Reader]] = {
    ".csv": ("", _text(",")),
    ".tsv": ("", _text("\t")),
    ".txt": ("", _text(None)),
    ".npy": ("npy", lambda file, path, name: npy.read_array(file, path)),
    ".npz": ("zip", npy.read_archive),
    ".mat": ("mat", matlab.read),
}
READERS = tuple(_READERS)
"""Suffixes of the files that are read."""
