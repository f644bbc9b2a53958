"""Arrays of NumPy, .npy and .npz: the header first, then exactly the bytes that it claims.

NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays". Pickles are never loaded.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np

from hpcvbi.cohort.archive import Member, open_archive
from hpcvbi.cohort.choice import Held, chosen, fault_of
from hpcvbi.core.errors import DataError

Header = tuple[tuple[int, ...], bool, np.dtype]
_HEADERS: dict[tuple[int, int], Callable[[BinaryIO], Header]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_BROKEN = (
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    MemoryError,
    RecursionError,
    TokenError,
)
"""What NumPy raises on headers that are none: a header is read as a literal of Python."""


def read_array(file: BinaryIO, path: Path) -> np.ndarray:
    """Return the matrix in a .npy file, float64; DataError if it claims what it does not hold."""
    return _read(file, str(path), os.fstat(file.fileno()).st_size)


def read_archive(file: BinaryIO, path: Path, name: str | None) -> np.ndarray:
    """Return one matrix of a .npz file, float64 (see `choice.chosen`)."""
    with open_archive(file, path) as members:
        arrays = {key[:-4]: member for key, member in members.items() if key.endswith(".npy")}
        if not arrays:
            raise DataError(f"{path} {_instead(members)}")
        held = {key: _described(member) for key, member in arrays.items()}
        member = chosen(path, held, name).where
        with member.open() as stream:
            return _read(stream, member.where, member.size)


def _described(member: Member) -> Held[Member]:
    with member.open() as stream:
        shape, _, dtype = _header(stream, member.where)
    return Held(shape, str(dtype)[:40], fault_of(shape, dtype.kind in "fiu", str(dtype)), member)


def _read(file: BinaryIO, where: str, size: int) -> np.ndarray:
    shape, in_fortran, dtype = _header(file, where)
    held = size - file.tell()
    if dtype.kind in "fiu" and (stated := math.prod(shape) * dtype.itemsize) != held:
        raise DataError(
            f"{where} claims {stated} bytes of numbers and holds {held}: it is damaged or forged"
        )
    if fault := fault_of(shape, dtype.kind in "fiu", str(dtype)[:40]):
        raise DataError(f"{where} {fault}")
    raw = file.read(held)
    if len(raw) != held:
        raise DataError(f"{where} ends after {len(raw)} of {held} bytes: copy it again")
    order = "F" if in_fortran else "C"
    return np.frombuffer(raw, dtype).reshape(shape, order=order).astype(float, order="C")


def _header(file: BinaryIO, where: str) -> Header:
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"format version {version}")
        return _HEADERS[version](file)
    except _BROKEN as error:
        raise DataError(
            f"{where} is no NumPy file that can be read: {str(error)[:200]}; save it with "
            f"numpy.save or numpy.savez"
        ) from error


def _instead(members: dict[str, Member]) -> str:
    if any(name.endswith("data.pkl") for name in members):
        return (
            "is a PyTorch checkpoint, which would execute code if it were loaded, and never is: "
            "save the numbers with numpy.save"
        )
    if any(name.startswith("xl/") for name in members):
        return "is an Excel file: save the sheet as csv"
    return "holds no array of NumPy: save it with numpy.savez"
