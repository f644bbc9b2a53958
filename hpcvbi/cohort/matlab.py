"""Matrices of MATLAB files, level 5 (save -v6 and -v7): full, real, plain numbers.

    file     128 bytes of header, then elements
    element  type, number of bytes (uint32 each), data, padding to 8 bytes
    matrix   elements in an element: flags, dimensions, name, numbers; zlib-compressed as a whole

"MAT-File Format", The MathWorks. All lengths are numbers that a forger chooses, and a common
reader takes the memory that they ask for before it reads; here dimensions, lengths and what is
there have to agree first. Cells, structures and objects are passed over, unread.
"""

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hpcvbi.cohort.archive import check_expansion, largest_expansion
from hpcvbi.cohort.choice import Held, chosen, fault_of
from hpcvbi.cohort.limits import MOST_MEMBERS
from hpcvbi.core.errors import DataError

_MATRIX, _COMPRESSED = 14, 15
_HEADER, _TAG, _BEGINNING = 128, 8, 1024
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
"""Types of stored numbers; a matrix of doubles is stored in the smallest that holds them."""
_CLASSES = {
    1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single",
    8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64",
    15: "uint64",
}  # fmt: skip
_PLAIN = range(6, 16)
_COMPLEX = 0x800


@dataclass(frozen=True)
class _Element:
    """Where the data of an element at the top of the file lie, and whether they are compressed."""

    start: int
    size: int
    compressed: bool


def read(file: BinaryIO, path: Path, name: str | None) -> np.ndarray:
    """Return one matrix, float64 (see `choice.chosen`).

    Raises
    ------
    DataError
        Damaged, forged, or no full matrix of real numbers.
    """
    file.seek(126)
    order = "<" if file.read(2) == b"IM" else ">"
    try:
        held: dict[str, Held[_Element]] = {}
        for element in _elements(file, path, order):
            key, found = _described(_beginning(file, element), order, element)
            if key in held:
                raise DataError(f"{path} holds {key[:40]!r} twice: save it anew")
            if key:
                held[key] = found
        found = chosen(path, held, name)
        return _matrix(file, path, order, found)
    except (struct.error, zlib.error, ValueError) as error:
        raise DataError(
            f"{path} is damaged ({error}): copy it again, or save it with -v7"
        ) from error


def _elements(file: BinaryIO, path: Path, order: str) -> Iterator[_Element]:
    size, at, count = os.fstat(file.fileno()).st_size, _HEADER, 0
    while at < size:
        file.seek(at)
        kind, length = struct.unpack(order + "II", file.read(_TAG))
        count += 1
        if count > MOST_MEMBERS:
            raise DataError(f"{path} holds more than {MOST_MEMBERS} variables: save one")
        if at + _TAG + length > size:
            raise ValueError(f"{length} bytes claimed, {size - at - _TAG} there")
        if kind == _COMPRESSED:
            yield _Element(at + _TAG, length, True)
        elif kind == _MATRIX:
            yield _Element(at, _TAG + length, False)
        at += _TAG + length


def _beginning(file: BinaryIO, element: _Element) -> bytes:
    """First bytes of a matrix, expanded."""
    file.seek(element.start)
    raw = file.read(min(element.size, 4 * _BEGINNING))
    if element.compressed:
        raw = zlib.decompressobj().decompress(raw, _BEGINNING)
    return raw[:_BEGINNING]


def _parts(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and data of the elements inside a matrix; ValueError where one ends beyond it."""
    at = 0
    while at + _TAG <= len(data):
        kind, length = struct.unpack(order + "II", data[at : at + _TAG])
        if kind >> 16:  # up to 4 bytes of data lie in the tag itself
            kind, length, start, step = kind & 0xFFFF, kind >> 16, at + 4, _TAG
            if length > 4:
                raise ValueError("a short element with more than 4 bytes")
        else:
            start, step = at + _TAG, _TAG + length + -length % 8
        if start + length > len(data):
            raise ValueError(f"{length} bytes claimed, {len(data) - start} there")
        yield kind, data[start : start + length]
        at += step


def _described(raw: bytes, order: str, element: _Element) -> tuple[str, Held[_Element]]:
    (what,) = struct.unpack(order + "I", raw[:4])
    parts = (part for _, part in _parts(memoryview(raw)[_TAG:], order))
    (flags,) = struct.unpack(order + "I", next(parts, b"\0\0\0\0")[:4])
    number = flags & 0xFF
    if what != _MATRIX or number not in _CLASSES:
        return "", Held((), "", "", element)
    shape = tuple(np.frombuffer(next(parts, b""), order + "i4").tolist())
    name = bytes(next(parts, b"")).decode("ascii", "replace")
    kind = ("complex " if flags & _COMPLEX else "") + _CLASSES[number]
    fault = fault_of(shape, number in _PLAIN and not flags & _COMPLEX, kind)
    if kind == "sparse":
        fault = "is sparse; save full(...) of it"
    return name, Held(shape, kind, fault, element)


def _matrix(file: BinaryIO, path: Path, order: str, held: Held[_Element]) -> np.ndarray:
    element, count = held.where, math.prod(held.shape)
    # flags, dimensions and name take less than the beginning; no number takes more than 8 bytes
    largest = _BEGINNING + 8 * count
    file.seek(element.start)
    if not element.compressed and element.size > largest:
        raise ValueError(f"{element.size} bytes for {count} numbers")
    raw = file.read(element.size)
    if element.compressed:
        largest = min(largest, largest_expansion(element.size) + 1)
        raw = zlib.decompressobj().decompress(raw, largest)
        check_expansion(str(path), element.size, len(raw))
    parts = list(_parts(memoryview(raw)[_TAG:], order))
    kind, numbers = parts[3] if len(parts) == 4 else (0, memoryview(b""))
    dtype = np.dtype(order + _NUMBERS[kind]) if kind in _NUMBERS else None
    if dtype is None or len(numbers) != count * dtype.itemsize:
        raise ValueError(f"{count} numbers claimed, {len(numbers)} bytes there")
    return np.frombuffer(numbers, dtype).reshape(held.shape, order="F").astype(float, order="C")
