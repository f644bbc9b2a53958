"""Which marks hold: the marked files are there, with the marked size and, in full, SHA-256.

A file system that does not answer is no proof that a file is gone: that is a StoreError, so that
nothing is computed anew because of it.
"""

import contextlib
import errno
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from hpcvbi.core.errors import HpcvbiError, StoreError
from hpcvbi.core.identifier import check_chain
from hpcvbi.store import arrays
from hpcvbi.store.durable import Unanswered, file_digest
from hpcvbi.store.layout import check_name, shard_path
from hpcvbi.store.ledger import Record
from hpcvbi.store.marks import BlockKey
from hpcvbi.store.trust import check_read, is_plain

Verify = Literal["size", "full"]
_THREADS = 8
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)


def blocks_that_hold(
    root: Path, marks: dict[BlockKey, Record], keys: Iterable[BlockKey], verify: Verify
) -> set[BlockKey]:
    """Those of `keys` whose marks hold."""
    listed = list(keys)
    with ThreadPoolExecutor(_THREADS) as pool:
        holds = pool.map(lambda key: _block_holds(root, key, marks[key], verify), listed)
        return {key for key, ok in zip(listed, holds, strict=True) if ok}


def shards_that_hold(group: Path, name: str, marks: Sequence[Record]) -> set[int]:
    """Blocks of an array, by their indices, whose files are as marked, in full."""
    ndim = arrays.open_array(group / name).ndim

    def holds(mark: Record) -> bool:
        path = shard_path(group, name, int(mark["index"]), ndim)
        try:
            return _holds(path, mark["digests"][name], "full")
        except (OSError, KeyError):
            return False

    with ThreadPoolExecutor(_THREADS) as pool:
        good = pool.map(holds, marks)
        return {int(mark["index"]) for mark, ok in zip(marks, good, strict=True) if ok}


def group_holds(root: Path, mark: Record, verify: Verify) -> bool:
    """Whether all files of a prepared round, or of a data set written whole, are as marked."""
    try:
        group = group_path(root, mark["chain"], mark["group"])
        return all(_holds(group / name, d, verify) for name, d in mark["files"].items())
    except Unanswered:
        raise
    except HpcvbiError:
        return False


def group_path(root: Path, chain: str, group: str) -> Path:
    """Folder of a group; its names are checked, so that it cannot leave the store."""
    path = root / check_chain(chain) / check_name(group)
    if path.is_symlink() or path.parent.is_symlink():
        raise StoreError(f"{path} leads out of the store by a link: it is not followed")
    return path


def _block_holds(root: Path, key: BlockKey, mark: Record, verify: Verify) -> bool:
    chain, round, index = key
    try:
        group = group_path(root, chain, round)
        if set(mark["digests"]) != set(arrays.outputs_of(group)):
            return False
        return all(
            _holds(_shard(group, name, index), d, verify) for name, d in mark["digests"].items()
        )
    except Unanswered:
        raise
    except HpcvbiError:
        return False


def _shard(group: Path, name: str, index: int) -> Path:
    return shard_path(group, name, index, arrays.open_array(group / name).ndim)


def _holds(path: Path, digest: Sequence[int | str], verify: Verify) -> bool:
    with _looking(path):
        if not is_plain(path) or os.stat(path).st_size != digest[0]:
            return False
        if verify == "size":
            return True
    with _looking(path, errno.EIO):  # a part of the disk that cannot be read any more is damage
        return file_digest(path) == list(digest[:2])
    return False


@contextlib.contextmanager
def _looking(path: Path, *damage: int) -> Iterator[None]:
    """Leave the `with` block where the file is gone; Unanswered where that cannot be known."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*_GONE, *damage):
            raise Unanswered(
                f"cannot look at {path}: {error.strerror}. Nothing is lost and nothing was "
                "changed; run the same command again when the file system answers"
            ) from error


def check_claims(group: Path, prepared: Record, names: Iterable[str]) -> None:
    """Hold the arrays of a round against its mark before any of them is allocated."""
    size, draws, block = 0, prepared["draws"], prepared["block"]
    for name in names:
        array = arrays.open_array(group / name)
        size += math.prod(array.shape) * array.dtype.itemsize
        piece = (array.shards or array.chunks)[:1] if array.ndim else ()
        wanted = piece if name == "theta" else (block,)
        if (array.shape[:1], piece) != ((draws,), wanted):
            raise StoreError(
                f"{group / name} has shape {array.shape} in pieces of {piece}; the ledger says "
                f"{draws} draws in blocks of {block}: see `hpcvbi verify`"
            )
    check_read(group, size)
