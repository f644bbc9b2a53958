"""Shards in and out: one block is one shard per array, written by one worker at a time."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from hpcvbi.core.block import Block
from hpcvbi.core.errors import StoreError
from hpcvbi.store.durable import Unanswered, file_digest, sync
from hpcvbi.store.layout import content_digest, shard_path

_CACHE_SIZE = 256
_Stamp = tuple[int, int, int]
_opened: dict[tuple[str, str], tuple[_Stamp, Any]] = {}
_guard = threading.Lock()


def open_array(folder: Path, *, write: bool = False) -> Any:
    """Open a zarr array, kept open per process while its metadata file stays the same one."""
    mode = "r+" if write else "r"
    return _cached(folder, mode, lambda: zarr.open_array(str(folder), mode=mode, zarr_format=3))


def outputs_of(group: Path) -> tuple[str, ...]:
    """Names of what every block of a round writes."""
    names = _cached(group, "outputs", lambda: attributes(group).get("outputs"))
    if names is None:
        raise StoreError(f"{group} is not a round")
    return tuple(names)


def attributes(group: Path) -> dict[str, Any]:
    """Attributes of a group."""
    return dict(json.loads((group / "zarr.json").read_bytes())["attributes"])


def array_names(group: Path) -> list[str]:
    """Names of the arrays in a group."""
    return sorted(p.parent.name for p in group.glob("*/zarr.json"))


def _cached(folder: Path, mode: str, load: Callable[[], Any]) -> Any:
    try:
        found = os.stat(folder / "zarr.json")
    except FileNotFoundError:
        raise StoreError(f"{folder} is not in the store: has it been prepared?") from None
    except OSError as error:
        raise Unanswered(f"cannot read {folder}: {error.strerror}") from error
    stamp, key = (found.st_ino, found.st_mtime_ns, found.st_size), (str(folder), mode)
    with _guard:
        cached = _opened.get(key)
    if cached is not None and cached[0] == stamp:
        return cached[1]
    try:
        value = load()
    except Exception as error:  # zarr raises various errors on damaged metadata
        raise _damaged(folder, error) from error
    with _guard:
        while len(_opened) >= _CACHE_SIZE:
            del _opened[next(iter(_opened))]
        _opened[key] = (stamp, value)
    return value


def write_shard(group: Path, name: str, block: Block, values: np.ndarray) -> list[int | str]:
    """Write the block's rows durably (its directories are the caller's to sync); return its digest.

    The digest is [size in bytes, SHA-256 of the file as it lies on disk, SHA-256 of the content].
    """
    array = open_array(group / name, write=True)
    rows, shard = array.shape[0], array.shards[0]
    first, last = block.index * shard, min((block.index + 1) * shard, rows)
    if (block.start, block.stop) != (first, last) or last <= first:
        raise StoreError(
            f"block {block.index} of {group} holds draws {first} to {last}, "
            f"not {block.start} to {block.stop}"
        )
    wanted = (block.size, *array.shape[1:])
    if values.shape != wanted or not np.can_cast(values.dtype, array.dtype, "same_kind"):
        raise StoreError(
            f"{name} of a block of {group} must be {array.dtype} of shape {wanted}, "
            f"got {values.dtype} of shape {values.shape}"
        )
    values = np.ascontiguousarray(values, dtype=array.dtype)
    path = shard_path(group, name, block.index, array.ndim)
    try:
        array[block.start : block.stop] = values
    except FileNotFoundError:  # a driver that does not know of this one has swept it half written
        array[block.start : block.stop] = values
    except OSError:
        raise
    except (
        Exception
    ):  # zarr 3.1 reads a torn shard before replacing it, and fails with various errors
        path.unlink(missing_ok=True)
        array[block.start : block.stop] = values
    sync(path)
    return [*file_digest(path), content_digest(values)]


def read_rows(folder: Path, start: int | None = None, stop: int | None = None) -> np.ndarray:
    """Rows of an array; text as a NumPy array of str; StoreError where the file is damaged."""
    array = open_array(folder)
    try:
        values = np.asarray(array[start:stop] if array.ndim else array[()])
    except Exception as error:  # codecs raise various errors on damaged bytes
        raise _damaged(folder, error) from error
    return np.array(values.tolist()) if values.dtype.kind == "T" else values


def _damaged(folder: Path, error: Exception) -> StoreError:
    return StoreError(
        f"{folder} is damaged ({error}): verify the store in full, then run the study again; "
        "what is damaged is found and computed anew"
    )
