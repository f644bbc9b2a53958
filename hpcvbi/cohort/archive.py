"""Zip archives in place: a few members, read one by one into memory, never extracted.

The directory of the archive is measured before `zipfile` reads it, and every member before it is
expanded: both are numbers that a forger chooses.
"""

import bz2
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hpcvbi.cohort.limits import FREE_EXPANSION, LARGEST_FILE, LARGEST_RATIO, MOST_MEMBERS
from hpcvbi.core.errors import DataError

_END, _END64 = b"PK\x05\x06", b"PK\x06\x07"
_END_BYTES, _LONGEST_COMMENT = 22, 2**16
_BYTES_PER_MEMBER = 2**10
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    OSError,
)


@contextmanager
def open_archive(file: BinaryIO, path: Path) -> Iterator[dict[str, "Member"]]:
    """Yield the files in an archive by their names.

    Raises
    ------
    DataError
        Damaged, too many members, or a name that leads out of the archive or stands there twice.
    """
    _check_directory(file, path)
    try:
        archive = zipfile.ZipFile(file)
    except Exception as error:  # zipfile raises various errors on damaged directories
        raise _damaged(path, error) from error
    with archive:
        members: dict[str, Member] = {}
        for info in archive.infolist():
            name = info.filename
            if (
                not name
                or name.startswith(("/", "\\"))
                or ".." in name.replace("\\", "/").split("/")
            ):
                raise DataError(
                    f"{path} holds {name[:60]!r}, which names no file in an archive and may lead "
                    f"out of it: it is forged; nothing was read"
                )
            if name in members:
                raise DataError(f"{path} holds {name[:60]!r} twice: pack it anew")
            if not name.endswith("/"):
                members[name] = Member(archive, info, path)
        yield members


class Member:
    """One file in an archive; its size is believed only as an upper limit."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
        self._archive, self._info = archive, info
        self.name, self.where = info.filename, f"{path}: {info.filename[:60]}"
        self.size = info.file_size

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the member for reading; DataError if it may not be expanded, or is damaged."""
        self._check()
        try:
            with self._archive.open(self._info) as file:
                yield file  # type: ignore[misc]
        except DataError:
            raise
        except _BROKEN as error:
            raise _damaged(Path(self.where), error) from error

    def _check(self) -> None:
        info = self._info
        if info.flag_bits & 1:
            raise DataError(f"{self.where} is encrypted: unpack it with its password")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise DataError(f"{self.where} is a symbolic link: pack the file itself")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{self.where} is packed in an unusual way: pack it with plain zip")
        check_expansion(self.where, info.compress_size, info.file_size)


def largest_expansion(packed: int) -> int:
    """Bytes that so many packed bytes may become."""
    return min(LARGEST_FILE, max(FREE_EXPANSION, LARGEST_RATIO * packed))


def check_expansion(where: str, packed: int, unpacked: int) -> None:
    """Raise DataError if what is packed claims, or turns out, to be too large."""
    limit = largest_expansion(packed)
    if unpacked > limit:
        raise DataError(
            f"{where} would expand {packed} bytes to {unpacked}, at most {limit} are read: if it "
            f"is no zip bomb, save it without compression"
        )


def expand_bz2(file: BinaryIO, where: str, packed: int) -> bytes:
    """Return what a bzip2 stream holds; DataError if it is damaged or too large."""
    expander, parts, held = bz2.BZ2Decompressor(), list[bytes](), 0
    try:
        while not expander.eof:
            raw = file.read(2**16) if expander.needs_input else b""
            if not raw and expander.needs_input:
                raise EOFError("its end is missing")
            parts.append(expander.decompress(raw, 2**20))
            held += len(parts[-1])
            check_expansion(where, packed, held)
    except (OSError, EOFError) as error:
        raise _damaged(Path(where), error) from error
    return b"".join(parts)


def _check_directory(file: BinaryIO, path: Path) -> None:
    size = os.fstat(file.fileno()).st_size
    tail_size = min(size, _END_BYTES + _LONGEST_COMMENT)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    file.seek(0)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise DataError(f"{path} has no end, it was not copied whole: copy it again")
    members = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    long_form = tail[max(0, at - 20) : at].startswith(_END64)
    if long_form or members > MOST_MEMBERS or directory > MOST_MEMBERS * _BYTES_PER_MEMBER:
        raise DataError(
            f"{path} claims {members} members and {directory} bytes of directory"
            f"{', in the long form' if long_form else ''}; archives of {MOST_MEMBERS} members are "
            f"read: pack only what is needed"
        )


def _damaged(where: Path, error: Exception) -> DataError:
    return DataError(f"{where} is damaged ({str(error)[:120]}): copy or pack it again")
