"""Groups as files: zarr encodes in memory, so that `durable` writes every byte once.

Codecs: zstd level 3 and crc32c inside the shard. Without the inner crc32c a flipped bit is decoded
silently. Text is variable-length UTF-8, the one text type with a Zarr v3 specification. There are
no time stamps: the same content gives the same bytes.
"""

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from hpcvbi.core.block import Status
from hpcvbi.store.durable import write_durably
from hpcvbi.store.layout import RoundLayout, Variable
from hpcvbi.store.trust import LARGEST_METADATA, read_json

# an all-NaN or all-zero block must leave a file; zarr 3.1 heeds only the global setting
zarr.config.set({"array.write_empty_chunks": True})

_CHUNK_BYTES = 2**21
_CHUNK_DRAWS = 64

Files = dict[str, bytes]
"""Path relative to store.zarr -> content."""


@dataclass(frozen=True)
class Stored:
    """An array as zarr is to know it; `dtype` "string" is variable-length UTF-8."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    dims: tuple[str, ...]
    attrs: dict[str, Any]


def encode_put(
    chain: str,
    group: str,
    variables: Iterable[Variable],
    coords: Iterable[Variable],
    attrs: Mapping[str, Any],
) -> Files:
    """Encode a small data set, one chunk per array."""
    coords = list(coords)
    memory, root = _group(chain, group, coords, attrs)
    for v in [*variables, *coords]:
        _whole(root, v, coords)
    return _files(memory)


def encode_round(chain: str, group: str, layout: RoundLayout, theta: np.ndarray) -> Files:
    """Encode a round before its first block: coordinates, theta, empty arrays for the blocks."""
    names = ["status", *(o.name for o in layout.outputs)]
    about = {"block": layout.block, "outputs": names}
    memory, root = _group(chain, group, layout.coords, about)
    for v in layout.coords:
        _whole(root, v, layout.coords)
    units = {p.unit for p in layout.params}
    unit = units.pop() if len(units) == 1 else ""
    doc = "parameters of each draw; units in param_unit"
    attrs = _attrs(unit, doc, ("draw", "param"), layout.coords)
    width = theta.shape[1]
    array = _create(
        root,
        Stored("theta", theta.shape, "float64", ("draw", "param"), attrs),
        chunks=(layout.block, width),
        shards=(layout.blocks * layout.block, width),
    )
    array[...] = theta
    attrs = _attrs("1", "what became of the draw", ("draw",), layout.coords) | {
        "flag_values": [int(s) for s in Status],
        "flag_meanings": " ".join(s.name.lower() for s in Status),
    }
    _blocked(root, layout, Stored("status", (layout.draws,), "uint8", ("draw",), attrs))
    for o in layout.outputs:
        attrs = _attrs(o.units, o.doc, o.dims, layout.coords)
        _blocked(root, layout, Stored(o.name, (layout.draws, *o.shape), o.dtype, o.dims, attrs))
    return _files(memory)


def draws_per_chunk(block: int, bytes_per_draw: int) -> int:
    """Smallest divisor of `block` from 64 draws on; fewer where 64 draws exceed 2 MB."""
    wanted = min(block, _CHUNK_DRAWS, max(1, _CHUNK_BYTES // max(1, bytes_per_draw)))
    return next(d for d in range(wanted, block + 1) if block % d == 0)


def consolidate(zarr_root: Path, attrs: Mapping[str, Any]) -> None:
    """Gather all metadata in the root's zarr.json: xarray opens with one read and no warning."""
    found: dict[str, Any] = {}
    for chain in sorted(p for p in zarr_root.iterdir() if p.is_dir()):
        found[chain.name] = {"attributes": {}, "zarr_format": 3, "node_type": "group"}
        for group, about in _nodes(chain):
            found[f"{chain.name}/{group.name}"] = about
            for array, its in _nodes(group):
                found[f"{chain.name}/{group.name}/{array.name}"] = its
    body = {
        "attributes": dict(attrs),
        "zarr_format": 3,
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": found},
        "node_type": "group",
    }
    write_durably(zarr_root / "zarr.json", json.dumps(body).encode())


def _nodes(folder: Path) -> Iterator[tuple[Path, Any]]:
    """Groups or arrays in a folder and their metadata, without those under construction."""
    for path in sorted(folder.glob("*/zarr.json")):
        with contextlib.suppress(OSError, ValueError):
            yield path.parent, read_json(path, LARGEST_METADATA)


def _group(
    chain: str, group: str, coords: Iterable[Variable], attrs: Mapping[str, Any]
) -> tuple[dict[str, Any], zarr.Group]:
    memory: dict[str, Any] = {}
    attributes = dict(sorted(attrs.items()))
    auxiliary = [c.name for c in coords if c.dims != (c.name,)]
    if auxiliary:
        attributes["coordinates"] = " ".join(sorted(auxiliary))
    store = MemoryStore(store_dict=memory)
    root = zarr.create_group(store, path=f"{chain}/{group}", zarr_format=3, attributes=attributes)
    return memory, root


def _attrs(
    units: str, doc: str, dims: tuple[str, ...], coords: Iterable[Variable]
) -> dict[str, Any]:
    """Attributes of a data variable; `coordinates` names its coordinates that are no dimension."""
    attrs: dict[str, Any] = {"units": units} if units else {}
    if doc:
        attrs["long_name"] = doc
    auxiliary = [c.name for c in coords if c.dims != (c.name,) and set(c.dims) <= set(dims)]
    if auxiliary:
        attrs["coordinates"] = " ".join(sorted(auxiliary))
    return attrs


def _whole(root: zarr.Group, v: Variable, coords: Iterable[Variable]) -> None:
    is_coord = any(c is v for c in coords)
    attrs = _attrs("" if v.is_text else v.units, v.doc, v.dims, () if is_coord else coords)
    dtype = "string" if v.is_text else v.values.dtype.newbyteorder("<").str
    stored = Stored(v.name, v.values.shape, dtype, v.dims, attrs)
    array = _create(root, stored, chunks=tuple(max(1, n) for n in stored.shape), shards=None)
    if v.values.size:
        array[...] = v.values


def _blocked(root: zarr.Group, layout: RoundLayout, stored: Stored) -> None:
    rest = tuple(max(1, n) for n in stored.shape[1:])
    n_bytes = math.prod(rest) * np.dtype(stored.dtype).itemsize
    chunks = (draws_per_chunk(layout.block, n_bytes), *rest)
    _create(root, stored, chunks=chunks, shards=(layout.block, *rest))


def _create(
    root: zarr.Group, stored: Stored, *, chunks: tuple[int, ...], shards: tuple[int, ...] | None
) -> Any:
    if stored.dtype == "string":
        fill: Any = ""
    else:
        fill = float("nan") if np.dtype(stored.dtype).kind == "f" else 0
    return root.create_array(
        stored.name,
        shape=stored.shape,
        dtype=stored.dtype,
        chunks=chunks,
        shards=shards,
        fill_value=fill,
        compressors=[ZstdCodec(level=3), Crc32cCodec()],
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=stored.dims,
        attributes=stored.attrs,
    )


def _files(memory: dict[str, Any]) -> Files:
    """All but the root's own metadata, which `consolidate` writes."""
    return {key: value.to_bytes() for key, value in sorted(memory.items()) if key != "zarr.json"}
