"""Reading of files that somebody else may have made: regular ones only, and never without end.

A pipe would block for ever, a device would flow for ever; both are refused before they are opened.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}


def open_regular(path: Path | str) -> BinaryIO:
    """Open a regular file for reading; links are followed.

    Raises
    ------
    OSError
        It cannot be opened, or is a pipe, a device, a socket or a directory; `strerror` says which.
    """
    _refuse_other(os.stat(path), path)
    file = open(path, "rb", opener=_without_blocking)  # noqa: SIM115 (the caller closes it)
    try:
        _refuse_other(os.fstat(file.fileno()), path)
    except OSError:
        file.close()
        raise
    return file


def read_regular(path: Path | str, largest: int) -> bytes:
    """Return the content of a regular file; OSError as above, and beyond `largest` bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= largest:
            data = file.read(size + 1)
            if len(data) > size:  # it grew
                data += file.read(largest + 1 - len(data))
            if len(data) <= largest:
                return data
    raise OSError(errno.EINVAL, f"more than {largest} bytes, too many for its kind", str(path))


def _without_blocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _refuse_other(found: os.stat_result, path: Path | str) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, no file", str(path))
