"""Files that survive a crash: write, fsync, rename, fsync every directory above; private.

A rename is atomic without being durable, and fsync of a file does not make its directory entry
durable; both are needed before anything may be said about the file (Pillai et al. 2014, OSDI, "All
file systems are not created equal").
"""

import contextlib
import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from hpcvbi.core.errors import StoreError
from hpcvbi.core.files import open_regular

Result = TypeVar("Result")

TEMPORARY = (".tmp", ".partial")
"""Endings of files under construction: ours and zarr's. Never read; swept by the next driver."""

_FAULTS = {
    errno.ENOSPC: "the file system is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "the file-size limit (ulimit -f) is reached",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "the file system reports an input/output error",
    errno.ESTALE: "the file system has lost the file (stale handle)",
}


PASSING = (errno.EIO, errno.ESTALE)
"""Faults that a network file system may get over."""
PAUSES_S = (0.5, 2.0)
"""How long to wait before each further attempt [s]."""
ATTEMPTS = 5
"""How often files are written that another driver removes."""


class Unanswered(StoreError):
    """A file that cannot be looked at, so that it is not known whether it is there."""


@contextlib.contextmanager
def storage_faults(folder: Path) -> Iterator[None]:
    """Turn an OSError met inside into one StoreError that names cause, place and remedy."""
    try:
        yield
    except OSError as error:
        cause = _FAULTS.get(error.errno or 0, error.strerror or repr(error))
        raise StoreError(
            f"cannot write {error.filename or folder}: {cause} ({_room(folder)}). "
            "Remove the cause and run the same command again (finished blocks are kept), or choose "
            "another `output:`."
        ) from error


def patiently(work: Callable[[], Result]) -> Result:
    """Do `work` and return its result; where it meets a fault that may pass, do all of it again.

    All of it, for once an fsync has failed the kernel may drop what was written, and the next fsync
    of the same file succeeds without it (Rebello et al. 2020, USENIX ATC, "Can applications recover
    from fsync failures?").
    """
    for pause in PAUSES_S:
        try:
            return work()
        except OSError as error:
            if error.errno not in PASSING:
                raise
        time.sleep(pause)
    return work()


def _room(folder: Path) -> str:
    try:
        found = os.statvfs(folder)
    except OSError:
        return "free space unknown"
    free = f"{found.f_bavail * found.f_frsize / 1e6:.1f} MB and {found.f_favail} files free"
    return f"{free} on the file system at {_mount(folder)}"


def _mount(folder: Path) -> Path:
    place = folder.absolute()
    while not place.is_mount() and place != place.parent:
        place = place.parent
    return place


def check_room(folder: Path, size: int, files: int, what: str = "the next round") -> None:
    """Raise StoreError where `size` bytes in so many `files` do not fit; quotas cannot be seen."""
    with storage_faults(folder):
        found = os.statvfs(folder)
    # a file system that does not count its blocks or files says that it has none at all
    full = found.f_blocks and size > found.f_bavail * found.f_frsize
    if full or (found.f_files and files > found.f_favail):
        raise StoreError(
            f"there is no room for {what} in {folder}: {size / 1e6:.1f} MB in {files} "
            f"files are needed, {_room(folder)}. Make room and run the same command again "
            "(finished blocks are kept), or choose another `output:`."
        )


def sync(path: Path) -> None:
    """Make a file or directory durable and private (0600, 0700; setgid directories stay so)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        mode = os.fstat(descriptor).st_mode
        private = (mode & 0o7000) | 0o700 if path.is_dir() else 0o600
        if mode & 0o7777 != private:
            os.fchmod(descriptor, private)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directories(files: Iterable[Path], top: Path) -> None:
    """Make every directory above `files`, up to and including `top`, durable, deepest first."""
    wanted: set[Path] = set()
    for file in files:
        for parent in file.parents:
            wanted.add(parent)
            if parent == top:
                break
    for directory in sorted(wanted, key=lambda d: (-len(d.parts), d)):
        sync(directory)


def make_private(path: Path) -> None:
    """Let only the owner use a file, or a folder with all that is in it."""
    inside = path.rglob("*") if path.is_dir() else ()
    for found in (path, *inside):
        os.chmod(found, 0o700 if found.is_dir() else 0o600)


def make_directory(path: Path) -> None:
    """Create a private directory and its missing parents; all are durable when this returns."""
    if path.is_dir():
        return
    make_directory(path.parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
    sync(path)
    with contextlib.suppress(
        PermissionError
    ):  # a parent that may be written but not read, e.g. /scratch
        _fsync_only(path.parent)


def _fsync_only(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes, *, exclusive: bool = False) -> None:
    """Publish `data` under `path` at once and whole; its directory must be synced afterwards.

    With `exclusive`, link(2) is used, which is atomic on network file systems too; FileExistsError
    if `path` is there. What another driver sweeps under construction is written again.
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            return _write_file(path, data, exclusive)
        except FileNotFoundError:
            if not attempts_left or not path.parent.is_dir():
                raise


def _write_file(path: Path, data: bytes, exclusive: bool) -> None:
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb", opener=private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not exclusive:
            os.replace(temporary, path)
            return
        os.link(temporary, path)
        temporary.unlink()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def copy_file(source: Path, path: Path, digest: Sequence[int | str]) -> bool:
    """Publish a copy of `source` under `path`, at once and whole, if it has this size and SHA-256;
    return whether it has. The directory of `path` must be synced afterwards.
    """
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open_regular(source) as whole, open(temporary, "xb", opener=private) as file:
            # where the file system can share the blocks of two files, it does so here
            with contextlib.suppress(OSError):
                while os.copy_file_range(whole.fileno(), file.fileno(), 2**30):
                    pass
            shutil.copyfileobj(whole, file)  # what is left of it
            file.flush()
            os.fsync(file.fileno())
        if file_digest(temporary) != list(digest[:2]):
            return False
        os.replace(temporary, path)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def write_files(root: Path, files: Mapping[str, bytes], instead_of: Path | None = None) -> None:
    """Write those that differ from what lies on disk, then make every directory durable; first
    remove the folder `instead_of`. All of it again where a driver that does not know of this one
    removes what is written meanwhile.
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            if instead_of is not None and instead_of.exists():
                shutil.rmtree(instead_of)
            instead_of = None  # what is there from here on, the other driver may have marked
            _write_files(root, files)
            return
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY) or not attempts_left:
                raise


def _write_files(root: Path, files: Mapping[str, bytes]) -> None:
    paths = [root / name for name in files]
    for path, data in zip(paths, files.values(), strict=True):
        if not (path.is_file() and path.read_bytes() == data):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, data)
    sync_directories(paths, root)


def private(path: str, flags: int) -> int:
    """Open a file, which only its owner may use if it is created: an `opener` of `open`."""
    return os.open(path, flags, 0o600)


def write_durably(path: Path, data: bytes, *, exclusive: bool = False) -> None:
    """Like `write_file`, and durable in its directory when this returns."""
    write_file(path, data, exclusive=exclusive)
    _fsync_only(path.parent)


def sha256(data: bytes | memoryview) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> list[int | str]:
    """[size in bytes, SHA-256] of what lies on disk."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return [file.tell(), digest]


def sweep(folder: Path) -> int:
    """Remove the files that a killed writer left under construction; returns how many."""
    swept = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            if name.endswith(TEMPORARY):
                Path(directory, name).unlink(missing_ok=True)
                swept += 1
    return swept
