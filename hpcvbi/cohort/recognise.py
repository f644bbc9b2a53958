"""What a file is by its first bytes, whatever its name says, and what to do with it instead.

A file is opened here only: regular, of a size that is read, of the kind that its reader expects,
and the same at the end as at the beginning.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hpcvbi.cohort.limits import LARGEST_FILE
from hpcvbi.core.errors import DataError
from hpcvbi.core.files import open_regular

HEAD = 1024
"""Bytes by which a file is recognised."""


@dataclass(frozen=True)
class Kind:
    """A format: its name in `hpcvbi.cohort`, "" if it is not read; what it is; what to do."""

    name: str
    what: str
    remedy: str
    begins: Callable[[bytes], bool]


def _at(offset: int, *signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: any(head[offset : offset + len(s)] == s for s in signatures)


def _inside_gzip(matches: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    def found(head: bytes) -> bool:
        if not head.startswith(b"\x1f\x8b"):
            return False
        try:
            return matches(zlib.decompressobj(31).decompress(head, HEAD))
        except zlib.error:
            return False

    return found


def _nifti(head: bytes) -> bool:
    return _at(344, b"n+1\0", b"ni1\0")(head) or _at(4, b"n+2\0", b"ni2\0")(head)


_TABLE = "save the numbers as csv or with numpy.save"
_AVERAGE = "average it over the regions of a parcellation and save the table (time, region) as csv"
_CODE = f"it would execute code if it were loaded, and never is: {_TABLE}"
_UNPACK = "unpack it, and keep the table inside"
_ZIPS = "arrays of NumPy are named *.npz, a connectome of The Virtual Brain connectivity.zip"
_FETCH = "fetch it with `datalad get`, `git annex get` or `git lfs pull`"
_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PICKLES = (
    *(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
    *(b"cos\n", b"cposix\n", b"c__builtin__\n", b"cbuiltins\n"),
)


def _hdf5(head: bytes) -> bool:
    return b"\x89HDF\r\n\x1a\n" in (head[:8], head[512:520])


def _page(head: bytes) -> bool:
    return head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html"))


KINDS = (
    Kind("npy", "a NumPy array", "name it *.npy", _at(0, b"\x93NUMPY")),
    Kind("mat", "a MATLAB file", "name it *.mat", _at(124, b"\x00\x01IM", b"\x01\x00MI")),
    Kind("", "a MATLAB 7.3 (HDF5) file", "save it with save(file, '-v7'), or export a csv",
         _at(0, b"MATLAB 7.3 MAT-file")),
    Kind("", "an HDF5 file", _TABLE, _hdf5),
    Kind("", "a NIfTI image", _AVERAGE, _nifti),
    Kind("", "a NIfTI image (gz)", _AVERAGE, _inside_gzip(_nifti)),
    Kind("", "a PyTorch checkpoint", _CODE, _at(0, _TORCH)),
    Kind("", "a Python pickle", _CODE, _at(0, *_PICKLES)),
    Kind("", "a tar archive", _UNPACK, _at(257, b"ustar")),
    Kind("", "a tar archive (gz)", _UNPACK, _inside_gzip(_at(257, b"ustar"))),
    Kind("zip", "a zip archive", _ZIPS, _at(0, b"PK\x03\x04", b"PK\x05\x06")),
    Kind("", "compressed (gzip)", _UNPACK, _at(0, b"\x1f\x8b")),
    Kind("", "compressed (bzip2)", _UNPACK, _at(0, b"BZh")),
    Kind("", "compressed (xz)", _UNPACK, _at(0, b"\xfd7zXZ\0")),
    Kind("", "compressed (zstd)", _UNPACK, _at(0, b"\x28\xb5\x2f\xfd")),
    Kind("", "a 7z archive", _UNPACK, _at(0, b"7z\xbc\xaf\x27\x1c")),
    Kind("", "an old Office file", "save the sheet as csv", _at(0, b"\xd0\xcf\x11\xe0")),
    Kind("", "a Parquet file", _TABLE, _at(0, b"PAR1")),
    Kind("", "a PDF document", _TABLE, _at(0, b"%PDF")),
    Kind("", "UTF-16 text", "save it as UTF-8", _at(0, b"\xff\xfe", b"\xfe\xff")),
    Kind("", "a text of Octave", "save it with save -v7", _at(0, b"# Created by Octave")),
    Kind("", "a web page", "its download was refused, or needs a login", _page),
    Kind("", "the pointer of a data set, not its content", _FETCH,
         _at(0, b"version https://git-lfs", b"/annex/objects/", b"../.git/annex/")),
)  # fmt: skip


@contextmanager
def opened(path: Path, expected: str, largest: int = LARGEST_FILE) -> Iterator[BinaryIO]:
    """Open a data file of the expected kind, "" for text.

    Raises
    ------
    DataError
        On entry if it cannot be opened, is no regular file, too large, or of another kind; on exit
        if it changed meanwhile.
    """
    try:
        with open_regular(path) as file:
            before = os.fstat(file.fileno())
            if before.st_size > largest:
                raise DataError(
                    f"{path} has {before.st_size} bytes; of its kind at most {largest} are read"
                )
            _check(path, file.read(HEAD), expected)
            file.seek(0)
            yield file
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise DataError(f"{path} changed while it was read: is it still being copied?")
    except FileNotFoundError as error:
        if path.is_symlink():
            raise DataError(
                f"{path} is a link to {os.readlink(path)}, which is not there; the content of a "
                f"data set of DataLad or git-annex comes with `datalad get`"
            ) from error
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _check(path: Path, head: bytes, expected: str) -> None:
    if not head:
        raise DataError(f"{path} is empty: write or copy it anew")
    kind = next((kind for kind in KINDS if kind.begins(head)), None)
    if kind is not None and (not kind.name or kind.name != expected):
        raise DataError(f"{path} is {kind.what}: {kind.remedy}")
    if kind is None and expected:
        wanted = next(kind.what for kind in KINDS if kind.name == expected)
        raise DataError(f"{path} is not {wanted}, though its name says so: {_TABLE}")
