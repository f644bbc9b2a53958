"""Which marks hold: the marked files are there, with the marked size and, in full, SHA-256."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from hpcvbi.core.errors import HpcvbiError, StoreError
from hpcvbi.core.identifier import check_id
from hpcvbi.store import arrays
from hpcvbi.store.durable import file_digest
from hpcvbi.store.layout import check_name, shard_path
from hpcvbi.store.ledger import Record
from hpcvbi.store.marks import BlockKey
from hpcvbi.store.trust import is_plain

Verify = Literal["size", "full"]
_THREADS = 8


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
    except (OSError, HpcvbiError):
        return False


def group_path(root: Path, chain: str, group: str) -> Path:
    """Folder of a group; its names are checked, so that it cannot leave the store."""
    path = root / check_id(chain) / check_name(group)
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
    except (OSError, HpcvbiError):
        return False


def _shard(group: Path, name: str, index: int) -> Path:
    return shard_path(group, name, index, arrays.open_array(group / name).ndim)


def _holds(path: Path, digest: Sequence[int | str], verify: Verify) -> bool:
    if not is_plain(path) or os.stat(path).st_size != digest[0]:
        return False
    return verify == "size" or file_digest(path) == list(digest[:2])
