"""Groups as files: zarr encodes in memory, so that `durable` writes every byte once.

Codecs: zstd level 3 and crc32c inside the shard, with a shuffle of bits before them where numbers
are rounded; without the inner crc32c a flipped bit is decoded silently. Where people's data are
encrypted, `hpcvbi.sealed` is around it all and its tags replace crc32c. Text is variable-length
UTF-8, the one text type with a Zarr v3 specification. There are no time stamps: the same content
gives the same bytes.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    ShardingCodec,
    VLenUTF8Codec,
    ZstdCodec,
)
from zarr.storage import MemoryStore

from hpcvbi.core.block import Status
from hpcvbi.store.durable import sha256
from hpcvbi.store.layout import RoundLayout, Variable
from hpcvbi.store.sealed import SealedCodec

# an all-NaN or all-zero block must leave a file; zarr 3.1 heeds only the global setting
zarr.config.set({"array.write_empty_chunks": True})

BITS = "quantization_nsb"
"""Attribute of a rounded array: its bits of mantissa, by the name of the CF conventions."""
_CHUNK_BYTES = 2**21
_CHUNK_DRAWS = 64

PERMISSIONS = ("consent_scope", "data_use_terms")
"""Attributes that stay readable where a person's data are encrypted."""
ATTRIBUTES = "attributes_json"
"""Name of the sealed variable that holds the others."""

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
    key: str | None = None,
) -> Files:
    """Encode a small data set, one chunk per array; sealed with the key named `key`, if any, and
    its attributes too, but for what the person's data may be used for.
    """
    variables, coords = list(variables), list(coords)
    if key is not None:
        within = {name: value for name, value in attrs.items() if name not in PERMISSIONS}
        attrs = {name: value for name, value in attrs.items() if name in PERMISSIONS}
        variables.append(Variable(ATTRIBUTES, (), json.dumps(within, sort_keys=True)))
    memory, root = _group(chain, group, coords, attrs, key)
    for v in [*variables, *coords]:
        _whole(root, v, coords)
    return _files(memory)


def encode_round(
    chain: str,
    group: str,
    layout: RoundLayout,
    theta: np.ndarray,
    attrs: Mapping[str, Any],
    key: str | None = None,
) -> Files:
    """Encode a round before its first block: coordinates, theta, empty arrays for the blocks."""
    names = ["status", *(o.name for o in layout.outputs)]
    about = {**attrs, "block": layout.block, "outputs": names}
    memory, root = _group(chain, group, layout.coords, about, key)
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
        if o.bits is not None:
            attrs[BITS] = o.bits
        _blocked(root, layout, Stored(o.name, (layout.draws, *o.shape), o.dtype, o.dims, attrs))
    return _files(memory)


def digests(files: Files, chain: str, group: str) -> dict[str, list[int | str]]:
    """Size and SHA-256 of the files of a group, by their paths in it."""
    prefix = f"{chain}/{group}/"
    return {
        name.removeprefix(prefix): [len(data), sha256(data)]
        for name, data in files.items()
        if name.startswith(prefix)
    }


def draws_per_chunk(block: int, bytes_per_draw: int) -> int:
    """Smallest divisor of `block` from 64 draws on; fewer where 64 draws exceed 2 MB."""
    wanted = min(block, _CHUNK_DRAWS, max(1, _CHUNK_BYTES // max(1, bytes_per_draw)))
    return next(d for d in range(wanted, block + 1) if block % d == 0)


def person_files(chain: str) -> Files:
    """Encode the metadata of a person's folder, which are the same for everybody."""
    memory: dict[str, Any] = {}
    zarr.create_group(MemoryStore(store_dict=memory), path=f"{chain}/x", zarr_format=3)
    return {name: data for name, data in _files(memory).items() if name == f"{chain}/zarr.json"}


@dataclass(frozen=True)
class _Root:
    """A group under construction, and the name of the key that seals its arrays."""

    group: zarr.Group
    key: str | None


def _group(
    chain: str,
    group: str,
    coords: Iterable[Variable],
    attrs: Mapping[str, Any],
    key: str | None,
) -> tuple[dict[str, Any], _Root]:
    memory: dict[str, Any] = {}
    attributes = dict(sorted(attrs.items()))
    auxiliary = [c.name for c in coords if c.dims != (c.name,)]
    if auxiliary:
        attributes["coordinates"] = " ".join(sorted(auxiliary))
    store = MemoryStore(store_dict=memory)
    root = zarr.create_group(store, path=f"{chain}/{group}", zarr_format=3, attributes=attributes)
    return memory, _Root(root, key)


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


def _whole(root: _Root, v: Variable, coords: Iterable[Variable]) -> None:
    is_coord = any(c is v for c in coords)
    attrs = _attrs("" if v.is_text else v.units, v.doc, v.dims, () if is_coord else coords)
    dtype = "string" if v.is_text else v.values.dtype.newbyteorder("<").str
    stored = Stored(v.name, v.values.shape, dtype, v.dims, attrs)
    array = _create(root, stored, chunks=tuple(max(1, n) for n in stored.shape), shards=None)
    if v.values.size:
        array[...] = v.values


def _blocked(root: _Root, layout: RoundLayout, stored: Stored) -> None:
    rest = tuple(max(1, n) for n in stored.shape[1:])
    n_bytes = math.prod(rest) * np.dtype(stored.dtype).itemsize
    chunks = (draws_per_chunk(layout.block, n_bytes), *rest)
    _create(root, stored, chunks=chunks, shards=(layout.block, *rest))


def _create(
    root: _Root, stored: Stored, *, chunks: tuple[int, ...], shards: tuple[int, ...] | None
) -> Any:
    if stored.dtype == "string":
        fill: Any = ""
    else:
        fill = float("nan") if np.dtype(stored.dtype).kind == "f" else 0
    layout: dict[str, Any] = {"chunks": chunks, "shards": shards}
    layout["compressors"] = [_compressor(stored), Crc32cCodec()]
    if root.key is not None:
        path = f"{root.group.path}/{stored.name}"
        layout = {"chunks": shards or chunks, "compressors": None}
        layout["serializer"] = SealedCodec.around(path, root.key, _inner(stored, chunks, shards))
    return root.group.create_array(
        stored.name,
        shape=stored.shape,
        dtype=stored.dtype,
        **layout,
        fill_value=fill,
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=stored.dims,
        attributes=stored.attrs,
    )


def _compressor(stored: Stored) -> ZstdCodec | BloscCodec:
    if BITS not in stored.attrs:
        return ZstdCodec(level=3)
    width = np.dtype(stored.dtype).itemsize
    return BloscCodec(typesize=width, cname="zstd", clevel=3, shuffle="bitshuffle")


def _inner(
    stored: Stored, chunks: tuple[int, ...], shards: tuple[int, ...] | None
) -> tuple[Any, ...]:
    """Codecs of the plain text of a sealed chunk; a shard's chunks stay apart inside it."""
    text = VLenUTF8Codec() if stored.dtype == "string" else BytesCodec()
    codecs = (text, _compressor(stored))
    return codecs if shards is None else (ShardingCodec(chunk_shape=chunks, codecs=codecs),)


def _files(memory: dict[str, Any]) -> Files:
    """All but the root's own metadata, which `store.index` writes."""
    return {key: value.to_bytes() for key, value in sorted(memory.items()) if key != "zarr.json"}
