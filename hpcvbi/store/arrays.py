"""Shards in and out: one block is one shard per array, written by one worker at a time."""

import errno
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from hpcvbi.core.block import Block
from hpcvbi.core.errors import KeyRefused, StoreError
from hpcvbi.store import bounded, sealed  # noqa: F401 (registers their codecs)
from hpcvbi.store.durable import Unanswered, file_digest, sync
from hpcvbi.store.encode import BITS
from hpcvbi.store.layout import check_name, content_digest, shard_path
from hpcvbi.store.rounding import rounded
from hpcvbi.store.trust import LARGEST_METADATA, check_array, check_read, is_plain, read_json

_CACHE_SIZE = 256
_Stamp = tuple[int, int, int]
_opened: dict[tuple[str, str], tuple[_Stamp, Any]] = {}
_guard = threading.Lock()


def open_array(folder: Path, *, write: bool = False) -> Any:
    """Open a zarr array, kept open per process while its metadata file stays the same one."""
    mode = "r+" if write else "r"
    return _cached(folder, mode, lambda: _opened_array(folder, mode))


def _opened_array(folder: Path, mode: Any) -> Any:
    check_array(folder)
    return zarr.open_array(str(folder), mode=mode, zarr_format=3)


def outputs_of(group: Path) -> tuple[str, ...]:
    """Names of what every block of a round writes."""
    names = _cached(group, "outputs", lambda: _outputs(group))
    if names is None:
        raise StoreError(f"{group} is not a round")
    return names


def _outputs(group: Path) -> tuple[str, ...] | None:
    names = attributes(group).get("outputs")
    return None if names is None else tuple(check_name(name) for name in names)


def attributes(group: Path) -> dict[str, Any]:
    """Attributes of a group."""
    return dict(read_json(group / "zarr.json", LARGEST_METADATA)["attributes"])


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
        if not is_plain(folder / "zarr.json"):
            raise ValueError("a link, or no regular file")
        value = load()
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EIO, errno.ENOENT):  # no file, or a bad one
            raise _damaged(folder, error) from error
        raise Unanswered(f"cannot read {folder}: {error.strerror}") from error
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
    rows, shard = array.shape[0], (array.shards or array.chunks)[0]
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
    if bits := array.attrs.get(BITS):
        values = rounded(values, bits)
    path = shard_path(group, name, block.index, array.ndim)
    try:
        array[block.start : block.stop] = values
    except FileNotFoundError:  # a driver that does not know of this one has swept it half written
        array[block.start : block.stop] = values
    except (OSError, KeyRefused):
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
    rows = len(range(*slice(start, stop).indices(array.shape[0]))) if array.ndim else 1
    check_read(folder, rows * math.prod(array.shape[1:]) * array.dtype.itemsize)
    try:
        values = np.asarray(array[start:stop] if array.ndim else array[()])
    except KeyRefused:
        raise
    except Exception as error:  # codecs raise various errors on damaged bytes
        raise _damaged(folder, error) from error
    return np.array(values.tolist()) if values.dtype.kind == "T" else values


def _damaged(folder: Path, error: Exception) -> StoreError:
    return StoreError(
        f"{folder} is damaged ({error}): `hpcvbi verify --repair` on the study's output folder "
        "finds what is damaged and computes it again"
    )
